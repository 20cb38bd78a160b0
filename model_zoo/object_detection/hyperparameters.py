"""How a detector is trained: what people may override, and what the number and size of the objects ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from model_zoo.boxes import as_array
from model_zoo.errors import TrainingImpossible
from model_zoo.object_detection.views import Augmentation
from model_zoo.oriented import box_overlaps
from model_zoo.recipes import Recipe
from model_zoo.types import Boxes

AUTO = "auto"
FREEZES: dict[str, tuple[str, ...]] = {
    "classes": ("last",),
    "boxes": ("last", "classes"),
    "neck": ("last", "classes", "boxes"),
    "backbone": ("last", "classes", "boxes", "neck"),
    "nothing": ("last", "classes", "boxes", "neck", "backbone"),
}
"""What is left to train when the network is frozen up to and including the part named; from the least to the most.
`last` is the last layer of the class branch, one convolution of size 1 a level."""
MICRO, FEW_SHOT, FINE_TUNE = "micro", "few_shot", "fine_tune"
RECIPES = {MICRO: AUTO, FEW_SHOT: "neck", FINE_TUNE: "backbone"}
"""What a recipe's name freezes. The first begins with the last layer, and goes on as far as evidence leads it."""
SIDES = (416, 640)
SMALL = 24.0
"""Pixels of a short side below which objects are lost on the coarsest grids, so that the larger input pays."""
CLOSE, CROWDED = 0.3, 0.2
"""Overlap from which on two objects of one label are close, so that the cells of the smaller input, of which one or two
lie between their centres, tell them apart badly; and the share of objects with such a neighbour from which on the
larger input pays. On a video, a third of whose people walk so, 5, 20 and 50 frames gave an mAP50 of 0.96, 0.98 and
0.98 in it, and 0.92, 0.96 and 0.92 in the smaller one."""


@dataclass(frozen=True)
class Hyperparameters:
    """`freeze` is a key of `FREEZES`, or `auto`: by out-of-fold evidence. `image_size` is the longer side of the
    network's input, `views` how many augmented views of each image there are, `epochs` how often each image is seen;
    0 of these leaves them to the family. `learning_rate` is that of pretrained layers, `head_rate` that of the last.
    `schedule` is `cosine` or `constant`, `warmup` the share of all steps; training ends early after `patience` epochs
    of no smaller loss, 0 for never. `folds` are those of the cross-validation.
    """

    freeze: str = AUTO
    image_size: int = 0
    epochs: int = 0
    views: int = 0
    batch: int = 4
    optimizer: str = "adamw"
    learning_rate: float = 5e-4
    head_rate: float = 2e-2
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    warmup: float = 0.1
    patience: int = 0
    folds: int = 3
    zoom: float = 1.5
    shift: float = 0.1
    mosaic: float = 0.25
    colour: float = 1.0
    mirror: bool = True

    @property
    def augmentation(self) -> Augmentation:
        return Augmentation(self.zoom, self.shift, self.mosaic, self.colour, self.mirror)


_LEAST: dict[str, float] = {"batch": 1, "folds": 0, "image_size": 0, "epochs": 0, "views": 0, "patience": 0}
_CHOICES = {"freeze": (AUTO, *FREEZES), "optimizer": ("adamw", "sgd"), "schedule": ("cosine", "constant")}


def settle(recipe: Recipe, truths: Sequence[Boxes], extents: Sequence[int]) -> Hyperparameters:
    """The hyperparameters for images with these boxes, whose longer sides are `extents` pixels; overrides win.

    Raises `TrainingImpossible` for a recipe or an override that is unknown or makes no sense.
    """
    named = Hyperparameters(freeze=known(recipe, RECIPES))
    hyper = replace(named, **checked(recipe, Hyperparameters, _LEAST, _CHOICES))
    count = len(truths)
    side = hyper.image_size or _side(truths, extents)
    views = hyper.views or int(np.clip(240 // max(count, 1), 2, 12))
    epochs = hyper.epochs or max(round(steps_for(count) * hyper.batch / max(count, 1)), 1)
    return replace(hyper, image_size=-(-side // 32) * 32, views=views, epochs=epochs)


def known(recipe: Recipe, recipes: Mapping[str, str]) -> str:
    """What the recipe's name stands for. Raises `TrainingImpossible` for one that is not there."""
    if recipe.name not in recipes:
        raise TrainingImpossible(f"Got the recipe {recipe.name!r}, wanted one of: {', '.join(recipes)}.")
    return recipes[recipe.name]


def called(recipe: Recipe, whole: bool) -> str:
    """The name of a recipe by what was trained: a whole network, or no more than was asked for."""
    return FINE_TUNE if whole else MICRO if recipe.name == MICRO else FEW_SHOT


def recipe_of(parts: Sequence[str]) -> str:
    """The name of the recipe that trains these parts: the last layer, the head, or more."""
    if "neck" in parts or "backbone" in parts:
        return FINE_TUNE
    return FEW_SHOT if {"classes", "boxes"} & set(parts) else MICRO


def steps_for(count: int) -> int:
    """Steps of the optimiser for so many images."""
    return int(np.clip(50 * np.sqrt(count / 5), 50, 300))


def _side(truths: Sequence[Boxes], extents: Sequence[int]) -> int:
    """The larger input where at least one object in five would be small in the smaller one, or has one of its label
    close by."""
    shorter = [
        float(side) / extent
        for boxes, extent in zip(truths, extents, strict=True)
        for side in (as_array(boxes)[:, 2:] - as_array(boxes)[:, :2]).min(axis=1)
    ]
    if not shorter:
        return SIDES[0]
    small = np.quantile(shorter, 0.2) * SIDES[0] < SMALL
    return SIDES[1] if small or _close(truths) >= CROWDED * len(shorter) else SIDES[0]


def _close(truths: Sequence[Boxes]) -> int:
    """How many objects overlap another of their label so far that it is close."""
    count = 0
    for boxes in truths:
        for label in {box.label for box in boxes}:
            alike = [box for box in boxes if box.label == label]
            shares = box_overlaps(alike, alike)
            np.fill_diagonal(shares, 0)
            count += int((shares.max(axis=1) >= CLOSE).sum())
    return count


def checked(
    recipe: Recipe, of: type[Any], least: Mapping[str, float], choices: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The recipe's overrides of a dataclass of hyperparameters, each of its field's type. `least` are the lowest values
    of those that are not simply 0 or more, `choices` the words that are taken. Raises `TrainingImpossible`."""
    types = {field.name: type(field.default) for field in fields(of)}
    for name, value in recipe.overrides.items():
        kind = types.get(name)
        if kind is None:
            raise TrainingImpossible(f"Got the hyperparameter {name!r}, wanted one of: {', '.join(sorted(types))}.")
        right = isinstance(value, int | float) and not isinstance(value, bool) if kind is float else type(value) is kind
        if not right:
            raise TrainingImpossible(
                f"Got {value!r} for the hyperparameter {name}, wanted a value of type {kind.__name__}."
            )
        if name in choices and value not in choices[name]:
            raise TrainingImpossible(f"Got {value!r} for {name}, wanted one of: {', '.join(choices[name])}.")
        if not isinstance(value, str) and value < least.get(name, 0):
            raise TrainingImpossible(f"Got {value} for {name}, wanted at least {least.get(name, 0)}.")
    return dict(recipe.overrides)
