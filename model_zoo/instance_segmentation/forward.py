"""A segmenter as a program: from pixels to boxes, probabilities and what masks are mixed from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_zoo.boxes import suppress
from model_zoo.object_detection import forward
from model_zoo.object_detection.network import Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.programs.program import Array, Program
from model_zoo.types import FloatArray, InstanceOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.nn import Module

MOST = 500
"""Candidates that are looked at; those that are as good as the same are dropped, so that outputs stay small."""
SAME = 0.9
"""Overlap of boxes of one label from which on they are as good as the same: no postprocessing lets both stand."""
TOLERANCES = (*forward.TOLERANCES, 0.05, 0.05)
"""Pixels, probability, and of coefficients and pictures by which a compiled form may differ."""
COARSE = (*forward.COARSE, 0.05, 0.05)
"""The same in the mean over all cells, in bfloat16."""


def program(key: str, network: Network, side: int) -> Program:
    """From pixels (n, height, width, 3) to corners (n, cells, 4) in them, probabilities (n, cells, labels),
    coefficients (n, k, cells) and pictures (n, k, height / 4, width / 4)."""
    return Program(key, lambda: _module(network), lambda: forward.probes(side), TOLERANCES, COARSE)


def look_for_masks(network: Network, levels: Sequence[Tensor], fitted: Fitted) -> InstanceOutput:
    """What a segmenter finds in one view."""
    raw = network.answer(levels)
    corners = network.decode(raw.boxes, levels)[0].numpy()
    coefficients, pictures = network.mask_branch(levels)[0].numpy(), network.prototypes(levels)[0].numpy()
    return output(fitted, corners, raw.scores[0].sigmoid().numpy().T, coefficients, pictures)


def output(
    fitted: Fitted, corners: Array, probabilities: Array, coefficients: Array, pictures: Array
) -> InstanceOutput:
    """One image's candidates, best first, in pixels of its original."""
    best, label = probabilities.max(axis=1, initial=0.0), probabilities.argmax(axis=1)
    likely = np.flatnonzero(best > forward.LEAST)
    chosen = likely[np.argsort(-best[likely], kind="stable")[:MOST]]
    apart = corners[chosen] + (label[chosen] * 2.0 * max(fitted.pixels.shape))[:, None]
    chosen = chosen[suppress(apart.astype(np.float32), best[chosen], SAME)]
    boxes: FloatArray = fitted.restore(corners[chosen])
    cell = fitted.pixels.shape[1] / pictures.shape[2]
    edges = np.array([fitted.left, fitted.top] * 2) + np.array([0, 0, fitted.width, fitted.height]) * fitted.scale
    edges = edges / cell
    # The padding around the image is nobody's.
    left, top = int(edges[0]), int(edges[1])
    basis = pictures[:, top : int(np.ceil(edges[3])), left : int(np.ceil(edges[2]))].astype(np.float16)
    frame = (float(edges[0] - left), float(edges[1] - top), float(edges[2] - left), float(edges[3] - top))
    return InstanceOutput(
        boxes,
        probabilities[chosen].astype(np.float32),
        fitted.width,
        fitted.height,
        np.ascontiguousarray(coefficients[:, chosen].T, np.float32),
        basis,
        frame,
    )


def _module(network: Network) -> Module:
    import torch

    class Forward(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(network.layers)

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            raw = network(pixels.permute(0, 3, 1, 2).float().div(255))
            corners, probabilities = network.decode(raw.boxes, raw.levels), raw.scores.sigmoid().transpose(1, 2)
            return corners, probabilities, network.mask_branch(raw.levels), network.prototypes(raw.levels)

    return Forward().eval()
