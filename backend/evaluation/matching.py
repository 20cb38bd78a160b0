"""What of a prediction was right, piece by piece: labels chosen, or regions drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.evaluation.captions import same_captions
from backend.evaluation.detection import right_objects
from backend.evaluation.entities import right_spans
from model_zoo.types import Box, Captions, Mask, Span, Target


@dataclass(frozen=True)
class Matches:
    """How many labels or regions a prediction had, the answer has, and both have: the same label and, for objects, an
    overlap of one half or more, for spans the same place; the same caption."""

    shown: int
    answered: int
    right: int


_RIGHT: Mapping[type, Callable[[Any, Any], int]] = {Box: right_objects, Mask: right_objects, Span: right_spans}
"""How many regions of a prediction are right, by what they are."""


def matches(predicted: Target, answered: Target) -> Matches:
    """Hold a prediction against the answer. Raises `TypeError` when they are of two kinds."""
    if isinstance(predicted, Captions) and isinstance(answered, Captions):
        return Matches(len(predicted.texts), len(answered.texts), same_captions(predicted, answered))
    if isinstance(predicted, frozenset) and isinstance(answered, frozenset):
        right = len(predicted & answered)
    elif isinstance(predicted, tuple) and isinstance(answered, tuple):
        kinds = {type(region) for region in (*predicted, *answered)}
        if len(kinds) > 1:
            raise TypeError(f"Got regions of {len(kinds)} kinds, wanted two answers of one kind.")
        right = sum(_RIGHT[kind](predicted, answered) for kind in kinds)
    else:
        raise TypeError(f"Got {type(predicted).__name__} and {type(answered).__name__}, wanted two of a kind.")
    return Matches(len(predicted), len(answered), right)
