"""Whether painted regions are separate objects or a map of the whole image: two kinds of task under one tag.

A config says so with `prelabel_task="semantic"` or `"instance"`, or by the name of a family. Where it says neither,
the first labelled images do: regions that cover (nearly) the whole image, each label at most once, are a map. What
was decided so stays, unless the first images, few at that time, come to say the contrary clearly.
"""

from __future__ import annotations

from collections.abc import Sequence

from backend.labelstudio.controls import INSTANCE, MAPPED, SEMANTIC, Control
from backend.store.manifest import ControlVersion
from model_zoo.masks import WHOLE, covered
from model_zoo.targets import some_of
from model_zoo.types import Mask, Target, TaskKind

BY_EVIDENCE = frozenset({"BrushLabels"})
"""Control tags for which labels may decide. Outlines are drawn around objects, mostly, and a map is asked for in
words."""
FIRST = 10
"""Labelled images, the oldest, that are looked at: later ones change nothing any more."""
MOST, FEWEST = 0.8, 0.5
"""Shares of maps among the images from which on objects become a map, and below which a map becomes objects; between
them all stays as it was."""

_WORDS = {TaskKind.SEMANTIC_SEGMENTATION.value: SEMANTIC, TaskKind.INSTANCE_SEGMENTATION.value: INSTANCE}


def is_map(target: Target) -> bool:
    """Whether an image's regions are a map: each label at most once, and next to nothing left out."""
    masks = some_of(Mask, target)
    names = [mask.label for mask in masks]
    return bool(masks) and len(set(names)) == len(names) and covered(masks) >= WHOLE


def as_before(control: Control, before: ControlVersion | None) -> Control:
    """`control` asking for what its config says, or else what its part of the version that serves does."""
    if control.tag not in MAPPED or control.task is not None:
        return control
    named = _WORDS.get((control.model or "").split("/")[0])
    known = _WORDS.get(before.family.split("/")[0]) if before is not None else None
    word = named or (known if not control.model else None)
    return control.asking(word) if word is not None else control


def as_labelled(control: Control, before: ControlVersion | None, oldest: Sequence[Target]) -> tuple[Control, str]:
    """`control` asking for what `oldest`, the answers to it by age, say where its config leaves that open; and a
    sentence for people where that is something else than before, else nothing. A pure function."""
    held = as_before(control, before)
    if control.tag not in BY_EVIDENCE or as_before(control, None).task is not None or control.model:
        return held, ""
    looked = oldest[:FIRST]
    share = sum(map(is_map, looked)) / len(looked) if looked else 0.0
    was = held.task == SEMANTIC
    # A single object may fill its image, two that share one to its edges are parts of a map.
    several = any(is_map(target) and len(some_of(Mask, target)) > 1 for target in looked)
    now = share >= FEWEST if was else share >= MOST and several
    if now == was or not looked:
        return held, ""
    seen = f"of the first {len(looked)} labelled images {round(share * len(looked))} are covered, each label once"
    if now:
        said = f'{seen}: it learns what each pixel is. prelabel_task="instance" makes it learn separate objects.'
    else:
        said = f'{seen}: it learns separate objects. prelabel_task="semantic" makes it learn what each pixel is.'
    return control.asking(SEMANTIC if now else INSTANCE), said
