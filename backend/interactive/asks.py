"""What a person asks for: read from the `context` that Label Studio sends beside the task.

For which controls it sends anything, and what, is held by a test against the real page: regions of the type, label and
object just drawn, the newest last. On images these are the pending clicks or boxes, which the page takes away once an
answer is accepted; on texts all spans of that label, also when one was taken away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from backend.converters.base import Region
from backend.errors import InvalidConfig
from backend.labelstudio.config import Control, every_control, shorten
from backend.labelstudio.controls import MARKED_IN_PLACE
from backend.labelstudio.payloads import TaskPayload

MASKS = frozenset({"BrushLabels", "PolygonLabels", "BitmaskLabels"})
"""Tags that an answer to a click can be drawn with."""


class Mode(str, Enum):
    """What a click, box or selection means: `prelabel_smart` in the config."""

    MASK = "mask"
    SIMILAR = "similar"
    TIGHTEN = "tighten"
    POINTS = "points"
    SPANS = "spans"
    CAPTION = "caption"
    IMPROVE = "improve"


WRITTEN = frozenset({Mode.CAPTION, Mode.IMPROVE})
"""What answers a text that somebody has written."""


MODES: Mapping[str, tuple[Mode, ...]] = {
    "KeyPointLabels": (Mode.MASK,),
    "RectangleLabels": (Mode.MASK, Mode.POINTS, Mode.SIMILAR, Mode.TIGHTEN),
    "Labels": (Mode.SPANS,),
    "HyperTextLabels": (Mode.SPANS,),
    "ParagraphLabels": (Mode.SPANS,),
    "TextArea": (Mode.CAPTION, Mode.IMPROVE),
}
"""What can be asked with which control. The first that the config has an output for is the default."""

OUTPUTS: Mapping[Mode, frozenset[str]] = {Mode.MASK: MASKS, Mode.POINTS: frozenset({"KeyPointLabels"})}
"""Tags that the answer is drawn with, where that is another control than the one that was pointed with."""
OBJECTS: Mapping[str, frozenset[str]] = {
    "KeyPointLabels": frozenset({"Image"}),
    "RectangleLabels": frozenset({"Image"}),
    "Labels": frozenset({"Text", "HyperText"}),
    "HyperTextLabels": frozenset({"HyperText"}),
    "ParagraphLabels": frozenset({"Paragraphs"}),
    "TextArea": frozenset({"Text", "Image"}),
}


@dataclass(frozen=True)
class Ask:
    """`drawn` are the context's regions of `control`, the newest last and never none; `output` is the control that
    the answer is drawn with, and `label` its label. `held` are the other regions that this person's draft is known to
    hold."""

    mode: Mode
    control: Control
    output: Control
    label: str
    drawn: tuple[Region, ...]
    task: TaskPayload
    held: tuple[Region, ...]

    @property
    def newest(self) -> Region:
        return self.drawn[-1]

    @property
    def saved(self) -> bool:
        """Whether a draft holds one of the drawn regions, which makes it this person's for certain."""
        own = {str(region.get("id")) for region in self.drawn}
        return any(str(region.get("id")) in own for draft in self.task.drafts for region in regions_of(draft))

    @property
    def known_ids(self) -> frozenset[str]:
        """Ids that a new region must not have."""
        drafts = (region for draft in self.task.drafts for region in regions_of(draft))
        return frozenset(str(region.get("id")) for region in (*drafts, *self.held, *self.drawn))


def mode_of(control: Control, xml: str) -> tuple[Mode, Control] | None:
    """What the control asks for, with the control that answers are drawn with; None where nothing can help.

    Raises `InvalidConfig` for a `prelabel_smart` that the control does not know.
    """
    possible = MODES.get(control.tag, ())
    if control.object_tag not in OBJECTS.get(control.tag, ()):
        return None
    if control.fetched and (control.tag, control.object_tag) in MARKED_IN_PLACE:
        return None
    if control.smart is not None:
        known = {mode.value: mode for mode in possible}
        if control.smart not in known:
            raise InvalidConfig(
                f'prelabel_smart of {control.tag} "{shorten(control.name)}": got "{shorten(control.smart)}", wanted '
                f"{' or '.join(known) or 'none at all on this control'}. Correct it or leave it out."
            )
        possible = (known[control.smart],)
    for mode in possible:
        output = _output(control, mode, xml)
        if output is not None:
            return mode, output
    return None


def read(xml: str, task: TaskPayload, context: Mapping[str, Any]) -> Ask | None:
    """What was asked; None where there is nothing to answer. Raises `InvalidConfig`."""
    given = context.get("result")
    regions = [region for region in given if isinstance(region, Mapping)] if isinstance(given, Sequence) else []
    controls = {control.name: control for control in every_control(xml)}
    control = controls.get(str(regions[-1].get("from_name"))) if regions else None
    found = mode_of(control, xml) if control is not None else None
    if control is None or found is None:
        return None
    mode, output = found
    label = _label(control, output, regions[-1])
    if label is None:
        return None
    drawn = tuple(dict(region) for region in regions if region.get("from_name") == control.name)
    return Ask(mode, control, output, label, drawn, task, _held(task, drawn))


def label_of(region: Mapping[str, Any]) -> str | None:
    """The first label of a region, whatever its type; None where it has none."""
    value, kind = region.get("value"), region.get("type")
    names = value.get(kind) if isinstance(value, Mapping) and isinstance(kind, str) else None
    return str(names[0]) if isinstance(names, list) and names else None


def _output(control: Control, mode: Mode, xml: str) -> Control | None:
    tags = OUTPUTS.get(mode)
    if tags is None:
        return control
    others = (one for one in every_control(xml) if one.tag in tags and one.to_name == control.to_name)
    return next((one for one in others if one.name != control.name), None)


def _label(control: Control, output: Control, region: Mapping[str, Any]) -> str | None:
    """The label that answers get. Where masks are called otherwise than clicks, only a single label can be meant."""
    said = label_of(region)
    if output.tag in {"KeyPointLabels", "TextArea"}:
        return said or ""
    if said is not None and output.has_label(said):
        return said
    named = output.label_of(said) if said is not None else None
    return named or (output.label_names[0] if len(output.labels) == 1 and output.name != control.name else None)


def _held(task: TaskPayload, drawn: Sequence[Region]) -> tuple[Region, ...]:
    """What the person's draft holds, as far as it is known: drafts are stored some seconds late.

    Label Studio sends everybody's drafts of the task here and does not say who asks. Those that hold a drawn region
    are this person's; where none does yet, one person's alone are taken for it, and those of several for nobody's.
    """
    own = {str(region.get("id")) for region in drawn}
    mine = [draft for draft in task.drafts if own & {str(region.get("id")) for region in regions_of(draft)}]
    if not mine and len({str(draft.get("user")) for draft in task.drafts}) == 1:
        mine = task.drafts
    held = (region for draft in mine for region in regions_of(draft))
    return tuple(dict(region) for region in held if str(region.get("id")) not in own)


def regions_of(draft: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a draft holds."""
    result = draft.get("result")
    return [region for region in result if isinstance(region, Mapping)] if isinstance(result, list) else []
