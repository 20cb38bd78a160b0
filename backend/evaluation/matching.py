"""What of a prediction was right, piece by piece: labels chosen, or regions drawn."""

from __future__ import annotations

from dataclasses import dataclass

from backend.evaluation.detection import right_objects
from model_zoo.types import Target


@dataclass(frozen=True)
class Matches:
    """How many labels or regions a prediction had, the answer has, and both have: the same label and, for objects, an
    overlap of one half or more."""

    shown: int
    answered: int
    right: int


def matches(predicted: Target, answered: Target) -> Matches:
    """Hold a prediction against the answer. Raises `TypeError` when they are of two kinds."""
    if isinstance(predicted, frozenset) and isinstance(answered, frozenset):
        right = len(predicted & answered)
    elif isinstance(predicted, tuple) and isinstance(answered, tuple):
        right = right_objects(predicted, answered)
    else:
        raise TypeError(f"Got {type(predicted).__name__} and {type(answered).__name__}, wanted two of a kind.")
    return Matches(len(predicted), len(answered), right)
