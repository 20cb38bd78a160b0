"""What a detector of turned boxes loses: by where they are, what they are, and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from model_zoo.object_detection.cache import Cache, View
from model_zoo.object_detection.fitting import DetectionLoss
from model_zoo.object_detection.network import Network
from model_zoo.oriented import sides
from model_zoo.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor


def loss_of(network: Network, parts: Sequence[str], cache: Cache, present: FloatArray) -> DetectionLoss:
    """The loss that training `parts` asks for: labels alone are learnt from the upright boxes that are found so far."""
    made = OrientedLoss if "angles" in parts else DetectionLoss
    return made(network, parts, cache, present)


class OrientedLoss(DetectionLoss):
    """Ultralytics' loss for OBB heads."""

    angles = True

    def _answers(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        return {"angle": self._network.angle_branch(levels)}

    def _truths(self, seen: Sequence[View], levels: Sequence[Tensor]) -> dict[str, Tensor]:
        import torch

        side = seen[0].picture.pixels.shape[0]
        places = [one.picture.marks.places for one in seen if one.picture.marks is not None]
        corners: FloatArray = np.concatenate(places) if places else np.empty((0, 4, 2), np.float32)
        return {"bboxes": torch.from_numpy(as_targets(corners, side))}


def as_targets(corners: FloatArray, side: int) -> FloatArray:
    """Centre, width and height as shares of the side, and turn in radians from -pi / 4 to pi / 4, of shape (n, 5): a
    rectangle is the same with its sides exchanged, and so each is described by the least turn."""
    centres, wide, high, turn = sides(corners)
    quarters = np.round(turn / (np.pi / 2))
    lying = quarters % 2 == 1
    sizes = np.stack([np.where(lying, high, wide), np.where(lying, wide, high)], axis=1)
    least = turn - quarters * (np.pi / 2)
    targets: FloatArray = np.concatenate([centres / side, sizes / side, least[:, None]], axis=1).astype(np.float32)
    return targets
