"""How a head for points is trained: what people may override, and what the number and size of the objects ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_zoo.object_detection.hyperparameters import FEW_SHOT, FINE_TUNE, MICRO
from model_zoo.object_detection.hyperparameters import checked as checked_overrides
from model_zoo.object_detection.hyperparameters import known as known_recipe
from model_zoo.object_detection.views import Augmentation
from model_zoo.recipes import Recipe
from model_zoo.types import FloatArray

AUTO, KNOWN, NEW = "auto", "known", "new"
HEAD, WHOLE = "head", "whole"
RECIPES = {MICRO: AUTO, FEW_SHOT: HEAD, FINE_TUNE: WHOLE}
"""What a recipe's name trains: a head on the frozen network, or the network with it. The first goes as far as evidence
leads it."""
SIDES = (416, 640)
SMALL = 64.0
"""Pixels of an object's longer side below which its points are told apart better in the larger input, which takes more
than twice the time. On the mouse of the benchmark, 94 pixels long, the smaller one was as good."""


@dataclass(frozen=True)
class Hyperparameters:
    """`points` is `known` to keep the points of a person as the pretrained network finds them, `new` to learn all of
    them, `auto` for the better by the evidence. `train` is `head`, `whole` for the network with it where points are
    new, or `auto`. `image_size` is the longer side of the network's input, `views` how many augmented views of each
    image there are, `epochs` how often each image is seen; 0 of these leaves them to the family. `network_rate` is the
    learning rate of the pretrained network; training ends early after `patience` epochs of no smaller loss, 0 for
    never. `turn` is the largest turn of a view in degrees, -1 for what the poses suggest; `width` is that of the layers
    trained.
    """

    points: str = AUTO
    train: str = AUTO
    image_size: int = 0
    epochs: int = 0
    views: int = 0
    batch: int = 4
    learning_rate: float = 1e-2
    network_rate: float = 3e-4
    patience: int = 0
    weight_decay: float = 1e-3
    folds: int = 3
    width: int = 48
    zoom: float = 1.4
    shift: float = 0.1
    mosaic: float = 0.0
    colour: float = 1.0
    turn: float = -1.0
    mirror: bool = True

    def augmentation(self, pairs: tuple[int, ...] | None) -> Augmentation:
        """How views differ; without `pairs` they are never mirrored."""
        mirror = self.mirror and pairs is not None
        turn = max(self.turn, 0.0)
        return Augmentation(self.zoom, self.shift, self.mosaic, self.colour, mirror, turn, pairs or ())


_LEAST: dict[str, float] = {
    "batch": 1, "folds": 0, "image_size": 0, "epochs": 0, "views": 0, "width": 8, "turn": -1, "patience": 0
}  # fmt: skip
_CHOICES = {"points": (AUTO, KNOWN, NEW), "train": (AUTO, HEAD, WHOLE)}


def settle(recipe: Recipe, longer: FloatArray, turn: float) -> Hyperparameters:
    """The hyperparameters for objects whose longer sides are `longer` shares of their image's, one array entry each;
    overrides win. `turn` is what the poses suggest.

    Raises `TrainingImpossible` for a recipe or an override that is unknown or makes no sense.
    """
    named = Hyperparameters(train=known_recipe(recipe, RECIPES))
    hyper = replace(named, **checked_overrides(recipe, Hyperparameters, _LEAST, _CHOICES))
    small = len(longer) > 0 and float(np.median(longer)) * SIDES[0] < SMALL
    side = hyper.image_size or SIDES[1 if small else 0]
    return replace(
        hyper,
        image_size=-(-side // 32) * 32,
        turn=turn if hyper.turn < 0 else hyper.turn,
    )


def paced(hyper: Hyperparameters, count: int) -> Hyperparameters:
    """With views and epochs for so many images."""
    views = hyper.views or int(np.clip(120 // max(count, 1), 2, 12))
    epochs = hyper.epochs or max(round(steps_for(count) * hyper.batch / max(count, 1)), 1)
    return replace(hyper, views=views, epochs=epochs)


def steps_for(count: int) -> int:
    """Steps of the optimiser for so many images."""
    return int(np.clip(75 * np.sqrt(count), 150, 450))


def turn_for(directions: Sequence[FloatArray], facing: Sequence[FloatArray] = ()) -> float:
    """How far views may turn, in degrees, by the directions (objects, 2) from one point to another, for several pairs
    of points: twice as far as the objects themselves are turned. `facing` are those of points that stay themselves in a
    mirror, where views are mirrored: what looks to the left or to the right has not been turned.

    That is the circular standard deviation, from the length of the mean direction, which is 1 where all are the same
    and near 0 where none is preferred (Mardia and Jupp, "Directional Statistics", 2000, section 2.3).
    """
    folded = _spread([np.abs(one) * [1, 0] + one * [0, 1] for one in facing])
    spread = folded if folded is not None and folded < UPRIGHT else _spread(directions)
    return float(np.clip(2 * np.degrees(spread or 0.0), SLIGHT, ANY))


def _spread(directions: Sequence[npt.NDArray[np.floating]]) -> float | None:
    """In radians; None where there are too few."""
    lengths = [
        float(np.linalg.norm((one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-6)).mean(axis=0)))
        for one in directions
        if len(one) >= ENOUGH
    ]
    return float(np.sqrt(-2 * np.log(np.clip(np.median(lengths), 1e-3, 1.0)))) if lengths else None


ENOUGH = 4
"""Objects by which one can tell how they are turned."""
ANY, SLIGHT = 180.0, 10.0
UPRIGHT = 0.5
"""Radians; spread below which objects stand upright and only face one way or the other."""
