"""Frozen networks that turn whole images into features: what they read of an image, and in what portions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from model_zoo.base import UNWATCHED, Progress, Watch
from model_zoo.errors import Cancelled
from model_zoo.image_classification.body import ImageBody
from model_zoo.images import read_image
from model_zoo.programs.program import Arrays, Program
from model_zoo.tuning.encoder import Body, Tensors, TunableEncoder
from model_zoo.tuning.hyperparameters import FEW_SHOT, FINE_TUNE, Cost, Tuning
from model_zoo.types import FloatArray, Input
from model_zoo.weights import Located

if TYPE_CHECKING:
    from torch.nn import Module

SIDE = 224
"""Pixels; what the networks were trained on. 160, 192 and 256 were no better on signs, digits and photographs."""
BATCH = 8
"""Larger ones are no faster on a CPU, and their feature maps fill memory."""
AGREEMENT = 1e-4
"""How far apart a compiled form's features may be."""


class ImageEncoder(TunableEncoder):
    """A new one says what its features are: `build` gives a network from pixels (n, 224, 224, 3) to (n, dimensions), as
    `stages.pooled` does; `tail` is the first of its stages that the recipe few_shot trains."""

    tail: ClassVar[int]
    usual: ClassVar[Tuning] = Tuning()
    costs: ClassVar[Mapping[str, Cost]] = {FEW_SHOT: Cost(0.022, 0.013), FINE_TUNE: Cost(0.002, 0.085)}

    def __init__(self, located: Located, own: Tensors | None = None) -> None:
        super().__init__(located, own)
        self._program = Program(self.name, self.build, _probes, (AGREEMENT,))

    @abstractmethod
    def build(self) -> Module:
        """The network, loaded. Raises `WeightsNotFound` where the weights are not its own."""

    def body(self, recipe: str) -> Body:
        return ImageBody(self.build(), self.tail if recipe == FEW_SHOT else 0)

    @property
    def program(self) -> Program:
        return self._program

    def prepare(self, value: Input | None) -> npt.NDArray[np.uint8]:
        """Pixels of shape (224, 224, 3)."""
        return square(value)

    def encode(self, inputs: Sequence[Input | None], watch: Watch = UNWATCHED) -> FloatArray:
        """Features of shape (inputs, dimensions)."""
        features = np.empty((len(inputs), self.dimensions), np.float32)
        # One batch at a time bounds memory; a long request gives way to a short one between two batches.
        for start in range(0, len(inputs), BATCH):
            if watch.cancelled():
                raise Cancelled(f"Stopped after {start} of {len(inputs)} images.")
            pixels = np.stack([square(value) for value in inputs[start : start + BATCH]])
            features[start : start + BATCH] = self._program(pixels)[0]
            done = min(start + BATCH, len(inputs))
            watch.report(Progress(done / len(inputs), f"{done} of {len(inputs)} images read"))
        return features


def square(value: Input | None) -> npt.NDArray[np.uint8]:
    """Squeezed to a square, not cropped: labels may be about what is at the edge."""
    if isinstance(value, np.ndarray) and value.shape == (SIDE, SIDE, 3) and value.dtype == np.uint8:
        return value
    from PIL import Image

    # Twice the side is decoded at least, so that what a JPEG decoder leaves out is not missed in the scaling.
    image = Image.fromarray(read_image(value, enough=(2 * SIDE, 2 * SIDE)))
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0), np.uint8)


def _probes() -> list[Arrays]:
    """Noise and a gradient: as far apart as images are."""
    noise = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    slope = np.broadcast_to(np.linspace(0, 255, SIDE).astype(np.uint8)[:, None], (1, SIDE, SIDE, 3))
    return [(noise,), (np.ascontiguousarray(slope),)]
