"""Answers to a drawn box: the other objects like it, the object it means, or the points on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from backend.converters.geometry import clip, write_rectangle
from backend.interactive.answers import Drawn
from backend.interactive.asks import Ask
from backend.interactive.pointing import box_of, called
from backend.labelstudio.config import Control
from model_zoo.interactive.alike import Like, similar, tight
from model_zoo.interactive.poses import Points
from model_zoo.interactive.prompts import Corners, Pixels
from model_zoo.interactive.proposals import Proposals
from model_zoo.types import Box

POINT = 0.75
"""Percent of the image's width: how large a point is drawn. It says nothing about the object."""


def by_example(ask: Ask, pixels: Pixels, proposals: Proposals | None, own: Sequence[Like] = ()) -> list[Drawn]:
    """The drawn box itself, and the other objects like it. The page takes the drawn one away once the answer is
    accepted: without it in the answer it would be lost."""
    height, width = pixels.shape[:2]
    example = box_of(ask.newest, width, height)
    if example is None:
        return []
    taken = [found.corners for region in ask.held if (found := box_of(region, width, height)) is not None]
    taken += [found.corners for region in ask.drawn[:-1] if (found := box_of(region, width, height)) is not None]
    threshold = ask.control.score_threshold or 0.0
    others = similar(pixels, proposals, example.corners, taken, called(ask.control, ask.label), own)
    return [
        *_kept(ask, width, height),
        *(
            drawn
            for one in others
            if one.score >= threshold and (drawn := _box(ask.control, one.corners, ask.label, one.score, width, height))
        ),
    ]


def tightened(ask: Ask, pixels: Pixels, proposals: Proposals | None) -> list[Drawn]:
    """The newest box on its object; as it was drawn where no object is found in it."""
    height, width = pixels.shape[:2]
    kept = list(_kept(ask, width, height))
    example = box_of(ask.newest, width, height)
    found = tight(pixels, proposals, example.corners, called(ask.control, ask.label)) if example is not None else None
    drawn = _box(ask.control, found.corners, ask.label, found.score, width, height) if found is not None else None
    if drawn is None:
        return kept
    return [*kept[:-1], _replacing(drawn, str(ask.newest.get("id")))]


def pointed(
    ask: Ask, pixels: Pixels, find: Callable[[Corners], Points | None], companion: Control | None = None
) -> list[Drawn]:
    """The drawn box itself with its points, each of a label of the output that is called as a point is; `companion`
    is the control that says of each whether it is seen."""
    height, width = pixels.shape[:2]
    parent = box_of(ask.newest, width, height)
    kept = list(_kept(ask, width, height))
    found = find(parent.corners) if parent is not None else None
    return [*kept, *(_points(ask, found, companion, width, height) if found is not None else ())]


def _points(ask: Ask, found: Points, companion: Control | None, width: int, height: int) -> Iterator[Drawn]:
    for label in ask.output.labels:
        names = {_plain(word) for word in label.descriptions}
        place = next((one for one in found if _plain(one.name) in names), None)
        if place is not None and place.score >= (ask.output.score_threshold or 0.0):
            value = {"x": place.across / width * 100, "y": place.down / height * 100, "width": POINT}
            said = _said(companion, place.visible) if companion is not None else None
            choice = (companion, said) if companion is not None and said is not None else None
            yield Drawn(ask.output, value, label.name, place.score, parent=str(ask.newest.get("id")), choice=choice)


VISIBLE = frozenset({"visible", "seen", "in view"})
HIDDEN = frozenset({"occluded", "hidden", "invisible", "not visible", "covered"})


def companion_of(ask: Ask, controls: Sequence[Control]) -> Control | None:
    """The config's choices for single regions that tell points that are seen from points that are hidden."""
    for control in controls:
        apart = control.attributes.get("perregion") == "true" and control.to_name == ask.output.to_name
        if control.tag == "Choices" and apart and _said(control, True) and _said(control, False):
            return control
    return None


def _said(control: Control, visible: bool) -> str | None:
    """What the control calls a point that is seen, or one that is hidden."""
    wanted = VISIBLE if visible else HIDDEN
    return next((one.name for one in control.labels if {_plain(word) for word in one.descriptions} & wanted), None)


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ").strip()


def _kept(ask: Ask, width: int, height: int) -> Iterator[Drawn]:
    """The drawn boxes under their own ids."""
    for region in ask.drawn:
        value = region.get("value")
        if isinstance(value, dict) and box_of(region, width, height) is not None:
            plain = {name: value[name] for name in ("x", "y", "width", "height", "rotation") if name in value}
            names = value.get(ask.control.tag.lower()) or [ask.label]
            yield Drawn(ask.control, plain, str(names[0]), 1.0, replaces=str(region.get("id")))


def _box(control: Control, corners: Corners, label: str, score: float, width: int, height: int) -> Drawn | None:
    found = clip(Box(*corners, label), width, height)
    return Drawn(control, write_rectangle(found, width, height), label, score) if found is not None else None


def _replacing(drawn: Drawn, identifier: str) -> Drawn:
    return Drawn(drawn.control, drawn.value, drawn.label, drawn.score, replaces=identifier)
