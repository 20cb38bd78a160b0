"""What of a prediction was right, piece by piece: labels chosen, or regions drawn."""

from __future__ import annotations

from dataclasses import dataclass

from backend.evaluation.detection import right_boxes
from backend.evaluation.keypoints import right_points
from model_zoo.types import Pose, Target, boxes_of, poses_of


@dataclass(frozen=True)
class Matches:
    """How many labels or regions a prediction had, the answer has, and both have: the same label and, for boxes, an
    overlap of one half or more. Of objects with points, each point and each box is one."""

    shown: int
    answered: int
    right: int


def matches(predicted: Target, answered: Target) -> Matches:
    """Hold a prediction against the answer. Raises `TypeError` when they are of two kinds."""
    if isinstance(predicted, frozenset) and isinstance(answered, frozenset):
        right = len(predicted & answered)
    elif isinstance(predicted, tuple) and isinstance(answered, tuple):
        if any(isinstance(one, Pose) for one in (*predicted, *answered)):
            return Matches(*right_points(poses_of(predicted), poses_of(answered)))
        right = right_boxes(boxes_of(predicted), boxes_of(answered))
    else:
        raise TypeError(f"Got {type(predicted).__name__} and {type(answered).__name__}, wanted two of a kind.")
    return Matches(len(predicted), len(answered), right)
