"""A detector of turned boxes as a program: from pixels to corners and probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_zoo.object_detection import forward
from model_zoo.object_detection.network import Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.oriented import hull
from model_zoo.programs.program import Array, Program
from model_zoo.types import FloatArray, OrientedOutput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.nn import Module

MOST = 300
"""Candidates that an output keeps: overlaps of turned boxes take some ten microseconds each."""


def program(key: str, network: Network, side: int) -> Program:
    """From pixels (n, height, width, 3) to corners (n, cells, 8) in them, x and y in turn, and probabilities (n, cells,
    labels)."""
    return Program(key, lambda: _module(network), lambda: forward.probes(side), forward.TOLERANCES)


def look_for_turned(network: Network, levels: Sequence[Tensor], fitted: Fitted) -> OrientedOutput:
    """What a detector of turned boxes finds in one view."""
    raw = network.answer(levels)
    corners = network.decode_turned(raw.boxes, network.angle_branch(levels), levels)[0].numpy()
    return output(fitted, corners, raw.scores[0].sigmoid().numpy().T)


def output(fitted: Fitted, corners: Array, probabilities: Array) -> OrientedOutput:
    """One image's candidates, best first, in pixels of its original."""
    best = probabilities.max(axis=1, initial=0.0)
    likely = np.flatnonzero(best > forward.LEAST)
    chosen = likely[np.argsort(-best[likely], kind="stable")[:MOST]]
    moved = (corners[chosen].reshape(-1, 4, 2) - np.array([fitted.left, fitted.top])) / fitted.scale
    points: FloatArray = moved.astype(np.float32)
    boxes: FloatArray = hull(points, fitted.width, fitted.height).astype(np.float32)
    return OrientedOutput(boxes, probabilities[chosen].astype(np.float32), fitted.width, fitted.height, points)


def _module(network: Network) -> Module:
    import torch

    class Forward(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(network.layers)

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            raw = network(pixels.permute(0, 3, 1, 2).float().div(255))
            corners = network.decode_turned(raw.boxes, network.angle_branch(raw.levels), raw.levels)
            return corners, raw.scores.sigmoid().transpose(1, 2)

    return Forward().eval()
