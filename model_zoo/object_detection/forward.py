"""A detector as a program: from pixels to boxes and probabilities, in whatever form serving runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.object_detection.network import Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.programs.program import Array, Arrays, Program
from model_zoo.types import DetectionOutput, FloatArray

if TYPE_CHECKING:
    from torch.nn import Module

MOST = 1000
"""Candidates that an output keeps; a crowd of 50 objects has some ten cells each."""
LEAST = 0.001
"""Probability below which a candidate is dropped, as in Ultralytics' validation."""
TOLERANCES = (0.5, 0.01)
"""Pixels and probability by which a compiled form may differ."""
COARSE = (2.0, 0.001)
"""The same in the mean over all cells, in bfloat16. With 80 classes mAP50 on photographs was 0.5838 so, and 0.5841
before; a processor computes the network in two thirds of the time."""


def program(key: str, network: Network, side: int) -> Program:
    """From pixels (n, height, width, 3) to corners (n, cells, 4) in them and probabilities (n, cells, labels)."""
    return Program(key, lambda: _module(network), lambda: probes(side), TOLERANCES, COARSE)


def output(fitted: Fitted, corners: Array, probabilities: Array) -> DetectionOutput:
    """One image's candidates, best first, in pixels of its original."""
    best = probabilities.max(axis=1, initial=0.0)
    likely = np.flatnonzero(best > LEAST)
    chosen = likely[np.argsort(-best[likely], kind="stable")[:MOST]]
    boxes: FloatArray = fitted.restore(corners[chosen])
    return DetectionOutput(boxes, probabilities[chosen].astype(np.float32), fitted.width, fitted.height)


def _module(network: Network) -> Module:
    import torch

    class Forward(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(network.layers)

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            raw = network(pixels.permute(0, 3, 1, 2).float().div(255))
            return network.decode(raw.boxes, raw.levels), raw.scores.sigmoid().transpose(1, 2)

    return Forward().eval()


def probes(side: int) -> list[Arrays]:
    """Noise in a square, and a gradient in a strip, once lying and once upright: nothing may depend on a shape."""
    noise: Any = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    low = max(side // 2 // 32 * 32, 32)
    slope = np.broadcast_to(np.linspace(0, 255, side).astype(np.uint8)[None, None, :, None], (1, low, side, 3))
    return [(noise,), (np.ascontiguousarray(slope),), (np.ascontiguousarray(slope.swapaxes(1, 2)),)]
