"""A trained U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model_zoo import checkpoint
from model_zoo.errors import CheckpointError
from model_zoo.object_detection.fitted import FittedModel
from model_zoo.object_detection.forward import probes
from model_zoo.object_detection.pixels import Fitted
from model_zoo.programs.program import Array, Program
from model_zoo.semantic_segmentation.network import CELL, DECODER, STRIDE, WHOLE, Network
from model_zoo.types import FloatArray, LabelSpace, SegmentationOutput

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from model_zoo.semantic_segmentation.family import UnetFamily

TOLERANCES = (0.01,)
"""Probability by which a compiled form may differ."""
COARSE = (0.005,)
"""The same in the mean over all cells, in bfloat16."""


class UnetModel(FittedModel):
    """`side` is the longer side of the network's input in pixels. Without `background` every cell has one of the
    labels. Immutable."""

    stride = STRIDE

    def __init__(self, owner: UnetFamily, labels: LabelSpace, network: Network, side: int, background: bool) -> None:
        self.family = type(owner)
        self.labels = labels
        self.network = network
        self.side = side
        self.background = background
        self.base = owner.encoder_name
        key = f"{self.family.name}:{network.digest(self.base)}"
        self.program = Program(key, lambda: _module(network), lambda: probes(side), TOLERANCES, COARSE)

    def output_of(self, fitted: Fitted, arrays: Sequence[Array]) -> SegmentationOutput:
        return output(fitted, arrays[0], len(self.labels))

    def save(self, folder: Path) -> None:
        settings = {
            "encoder": self.base,
            "parts": self.network.parts,
            "side": self.side,
            "background": self.background,
        }
        arrays = {name: tensor.detach().numpy() for name, tensor in self.network.trained().items()}
        checkpoint.write(folder, checkpoint.Checkpoint(self.family.name, self.labels, settings, arrays))

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.network.trained().values())


def output(fitted: Fitted, probabilities: Array, labels: int) -> SegmentationOutput:
    """One image's cells, those of the padding around it left out, from probabilities (classes, h / 2, w / 2)."""
    inner = np.array([fitted.width, fitted.height]) * fitted.scale
    edges = np.array([fitted.left, fitted.top, fitted.left + inner[0], fitted.top + inner[1]]) / CELL
    left, top = int(edges[0]), int(edges[1])
    cells = probabilities[:, top : int(np.ceil(edges[3])), left : int(np.ceil(edges[2]))]
    # Where every cell has one of the labels, none of them is impossible.
    whole: FloatArray = np.zeros((labels + 1, *cells.shape[1:]), np.float32)
    whole[: len(cells)] = cells
    frame = (float(edges[0] - left), float(edges[1] - top), float(edges[2] - left), float(edges[3] - top))
    return SegmentationOutput(whole, frame, fitted.width, fitted.height)


def load(owner: UnetFamily, folder: Path, labels: LabelSpace | None) -> UnetModel:
    """Read what `UnetModel.save` wrote. Raises `CheckpointError`."""
    import torch

    found = checkpoint.read(folder, owner.name, labels)
    try:
        base, parts = str(found.settings["encoder"]), str(found.settings["parts"])
        side, background = int(found.settings["side"]), bool(found.settings["background"])
        if parts not in (DECODER, WHOLE) or side < STRIDE or side % STRIDE:
            raise ValueError(f"parts {parts!r}, side {side}")
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"The checkpoint in {folder} is damaged ({error!r}); train again.") from error
    if parts == DECODER and base != owner.encoder_name:
        raise CheckpointError(
            f"Got a decoder learnt on {base!r}, wanted {owner.encoder_name!r}; put those weights back, or train again."
        )
    network = owner.begun(len(found.labels) + background).copy(parts)
    try:
        network.load({name: torch.from_numpy(array.copy()) for name, array in found.arrays.items()})
    except RuntimeError as error:
        raise CheckpointError(f"The checkpoint in {folder} does not fit ({error}); train again.") from error
    # The caller's descriptions may be newer than those the model was saved with.
    return UnetModel(owner, labels or found.labels, network, side, background)


def _module(network: Network) -> Module:
    import torch

    class Forward(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unet = network.unet

        def forward(self, pixels: Tensor) -> Tensor:
            return network.scores(network.levels(pixels)).softmax(dim=1)

    return Forward().eval()
