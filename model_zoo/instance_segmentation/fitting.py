"""What a segmenter loses: as a detector, and by its masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.object_detection import upstream
from model_zoo.object_detection.cache import Cache, View
from model_zoo.object_detection.fitting import DetectionLoss
from model_zoo.object_detection.network import Network
from model_zoo.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

MASKS = ("masks",)
"""All that is trained when boxes and labels are right and edges are not; the pictures are cached then."""
CELL = 4
"""Pixels of the input a cell of the pictures that masks are mixed from."""


def loss_of(network: Network, parts: Sequence[str], cache: Cache, present: FloatArray) -> SegmentationLoss | MaskLoss:
    """The loss that training `parts` asks for."""
    made = MaskLoss if tuple(parts) == MASKS else SegmentationLoss
    return made(network, parts, cache, present)


class SegmentationLoss(DetectionLoss):
    """Ultralytics' loss on whatever parts, the masks among them or not."""

    masks = True

    def _answers(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        if "masks" not in self._parts:
            return {}
        return {"mask_coefficient": self._network.mask_branch(levels), "proto": self._network.prototypes(levels)}

    def _truths(self, seen: Sequence[View], levels: Sequence[Tensor]) -> dict[str, Tensor]:
        return {"masks": true_masks(seen)} if "masks" in self._parts else {}


class MaskLoss:
    """The masks' share of it alone. Which cells answer for which object is decided by frozen parts, and so but once."""

    def __init__(self, network: Network, parts: Sequence[str], cache: Cache, present: FloatArray) -> None:
        self._network = network
        self._cache = cache
        self._loss = upstream.detection_loss(network.head, present, masks=True)
        self._assigned: dict[int, tuple[Any, Any, Any]] = {}

    def __call__(self, batch: Sequence[int]) -> Tensor:
        import torch

        cells = [self._cells(at) for at in batch]
        together = tuple(torch.cat([one[part] for one in cells]) for part in range(3))
        levels = self._cache.levels(batch)
        seen = [self._cache.seen[at] for at in batch]
        side = seen[0].picture.pixels.shape[0]
        loss: Tensor = upstream.mask_loss(
            self._loss,
            (together[0], together[1], together[2]),
            self._network.mask_branch(levels),
            self._cache.prototypes(batch),
            true_masks(seen),
            side,
        )
        return loss

    def _cells(self, at: int) -> tuple[Any, Any, Any]:
        import torch

        if at not in self._assigned:
            with torch.no_grad():
                levels = self._cache.levels([at])
                raw = self._network.answer(levels)
                corners = self._network.decode(raw.boxes, levels)
                targets = upstream.padded([self._cache.seen[at].picture])
                self._assigned[at] = upstream.assigned(self._loss, raw.scores, corners, levels, targets)
        return self._assigned[at]


def true_masks(seen: Sequence[View]) -> Tensor:
    """The objects of views, numbered from 1, at the centres of cells; shape (views, h, w)."""
    import torch

    known = [one.picture.objects for one in seen]
    coarse = [objects[CELL // 2 :: CELL, CELL // 2 :: CELL] for objects in known if objects is not None]
    return torch.from_numpy(np.stack(coarse).astype(np.float32))
