"""Which points of the pretrained network, those of a person in COCO, the labels of a project mean."""

from __future__ import annotations

from collections.abc import Sequence

from model_zoo.object_detection import coco
from model_zoo.poses import COCO_SIGMAS
from model_zoo.types import LabelSpace

PERSON = "person"
NAMES = tuple(COCO_SIGMAS)
"""In the order of the pretrained networks."""
WORDS = {name.replace("_", ""): at for at, name in enumerate(NAMES)}
ENOUGH = 0.5
"""Share of the labels that must be known for the network to be of use before anything is labelled."""


def points(labels: LabelSpace) -> tuple[int, ...]:
    """For each label the index of the point that it means by its name or a description, -1 where it means none."""
    described = labels.descriptions or ((),) * len(labels)
    return tuple(
        next((WORDS[key] for key in map(_joined, (name, *words)) if key in WORDS), -1)
        for name, words in zip(labels.names, described, strict=True)
    )


def kinds(labels: LabelSpace, classes: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """For each name of objects the classes of the network that it means; a person where objects have no names, as
    which the only class of a network counts."""
    return coco.columns(LabelSpace(labels.objects or (PERSON,)), (PERSON,) if len(classes) == 1 else classes)


def _joined(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())
