"""What of a prediction was right, piece by piece: labels chosen, or regions drawn."""

from __future__ import annotations

from dataclasses import dataclass

from backend.evaluation.captions import same_captions
from backend.evaluation.detection import right_boxes
from model_zoo.types import Captions, Target


@dataclass(frozen=True)
class Matches:
    """How many labels or regions a prediction had, the answer has, and both have: the same label and, for boxes, an
    overlap of one half or more; the same caption."""

    shown: int
    answered: int
    right: int


def matches(predicted: Target, answered: Target) -> Matches:
    """Hold a prediction against the answer. Raises `TypeError` when they are of two kinds."""
    if isinstance(predicted, Captions) and isinstance(answered, Captions):
        return Matches(len(predicted.texts), len(answered.texts), same_captions(predicted, answered))
    if isinstance(predicted, frozenset) and isinstance(answered, frozenset):
        right = len(predicted & answered)
    elif isinstance(predicted, tuple) and isinstance(answered, tuple):
        right = right_boxes(predicted, answered)
    else:
        raise TypeError(f"Got {type(predicted).__name__} and {type(answered).__name__}, wanted two of a kind.")
    return Matches(len(predicted), len(answered), right)
