"""A convolutional network cut between two stages, and the views that it is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.programs.program import Array
from model_zoo.tuning.effort import Check
from model_zoo.tuning.encoder import Body
from model_zoo.types import Input

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 8
TURN, ZOOM, SHIFT, LIGHT = 12.0, 0.2, 0.08, 0.2
"""Of views at most: degrees, shares of the size, of the side, and of the brightness. They are not mirrored: a label may
be about left and right."""

Pixels = npt.NDArray[np.uint8]


class ImageBody(Body):
    """`module` is what `stages.pooled` gives; what lies below stage `cut` is frozen. Normalisation keeps its pretrained
    statistics, for those of a few hundred images are worse."""

    def __init__(self, module: Any, cut: int) -> None:
        self._module = module
        self._cut = cut
        super().__init__(module.network, [part for stage in module.stages[cut:] for part in stage])

    def views(self, value: Input, count: int, random: np.random.Generator) -> list[Pixels]:
        from model_zoo.image_classification.encoder import square

        pixels = square(value)
        return [pixels, *(varied(pixels, random) for _ in range(count - 1))]

    def below(self, views: Sequence[Any], check: Check) -> list[Array]:
        """Pixels themselves where nothing is frozen."""
        import torch

        if self._cut == 0:
            return list(views)
        kept: list[Array] = []
        for start in range(0, len(views), BATCH):
            check()
            with torch.inference_mode():
                hidden = self._module.below(torch.from_numpy(np.stack(views[start : start + BATCH])), self._cut)
            kept += list(hidden.half().numpy())
        return kept

    def above(self, kept: Sequence[Array]) -> Tensor:
        import torch

        rows = torch.from_numpy(np.stack(kept))
        hidden = self._module.begun(rows) if self._cut == 0 else rows.float()
        features: Tensor = self._module.above(hidden.contiguous(memory_format=torch.channels_last), self._cut)
        return features


def varied(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Turned, zoomed and shifted a little, darker or lighter; what comes in from outside has the mean colour."""
    from PIL import Image

    side = pixels.shape[0]
    angle, scale = np.deg2rad(random.uniform(-TURN, TURN)), 1 + random.uniform(-ZOOM, ZOOM)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    x, y = side / 2 + random.uniform(-SHIFT, SHIFT, 2) * side
    back = (cos, sin, side / 2 - cos * x - sin * y, -sin, cos, side / 2 + sin * x - cos * y)
    mean = tuple(int(value) for value in pixels.reshape(-1, 3).mean(axis=0))
    turned = Image.fromarray(pixels).transform(
        (side, side), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR, fillcolor=mean
    )
    light = np.asarray(turned, np.float32) * (1 + random.uniform(-LIGHT, LIGHT))
    shown: Pixels = np.clip(light, 0, 255).astype(np.uint8)
    return shown
