"""How a U-Net is trained: what people may override, and what the number of images asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from model_zoo.object_detection.hyperparameters import FEW_SHOT, FINE_TUNE, MICRO, checked, known
from model_zoo.object_detection.views import Augmentation
from model_zoo.recipes import Recipe
from model_zoo.semantic_segmentation.network import DECODER, STRIDE, WHOLE

AUTO = "auto"
RECIPES = {MICRO: AUTO, FEW_SHOT: DECODER, FINE_TUNE: WHOLE}
"""What a recipe's name trains. The first begins with the decoder, and goes on where evidence leads it."""
VIEWS = 160
"""Views of all images together where they are few; the levels of one take 1.4 MB."""


@dataclass(frozen=True)
class Hyperparameters:
    """`train` is `decoder`, `whole` or `auto`: by out-of-fold evidence. `image_size` is the longer side of the
    network's input in pixels, `views` how many augmented views of each image there are, `epochs` how often each image
    is seen; 0 of the latter two leaves them to the family. Training ends early after `patience` epochs of no smaller
    loss, 0 for never. `learning_rate` is that of the decoder, `encoder_rate` that
    of the encoder. `overlap_weight` is that of the Dice loss beside cross-entropy. `folds` are those of the
    cross-validation.
    """

    train: str = AUTO
    image_size: int = 320
    epochs: int = 0
    views: int = 0
    batch: int = 4
    patience: int = 0
    learning_rate: float = 2e-3
    encoder_rate: float = 2e-4
    weight_decay: float = 1e-2
    overlap_weight: float = 1.0
    folds: int = 3
    zoom: float = 1.6
    shift: float = 0.15
    colour: float = 0.7
    mirror: bool = True

    @property
    def augmentation(self) -> Augmentation:
        return Augmentation(self.zoom, self.shift, 0.0, self.colour, self.mirror)


_LEAST: dict[str, float] = {
    "batch": 1,
    "folds": 0,
    "image_size": STRIDE,
    "epochs": 0,
    "views": 0,
    "zoom": 1,
    "patience": 0,
}
_CHOICES = {"train": (AUTO, DECODER, WHOLE)}


def settle(recipe: Recipe, count: int) -> Hyperparameters:
    """The hyperparameters for so many images; overrides win. Raises `TrainingImpossible` for a recipe or an override
    that is unknown or makes no sense."""
    named = Hyperparameters(train=known(recipe, RECIPES))
    hyper = replace(named, **checked(recipe, Hyperparameters, _LEAST, _CHOICES))
    views = hyper.views or int(np.clip(VIEWS // max(count, 1), 2, 12))
    epochs = hyper.epochs or max(round(steps_for(count) * hyper.batch / max(count, 1)), 1)
    return replace(hyper, image_size=-(-hyper.image_size // STRIDE) * STRIDE, views=views, epochs=epochs)


def steps_for(count: int) -> int:
    """Steps of the optimiser for so many images."""
    return int(np.clip(80 * np.sqrt(count / 5), 60, 320))
