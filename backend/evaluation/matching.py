"""What of a prediction was right, piece by piece: labels chosen, or regions drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.evaluation.captions import same_captions
from backend.evaluation.detection import right_objects
from backend.evaluation.entities import right_spans
from backend.evaluation.keypoints import right_points
from backend.evaluation.remarks import right_remarks
from model_zoo.types import Box, Captions, Mask, Pose, Remark, Span, Target


@dataclass(frozen=True)
class Matches:
    """How many labels or regions a prediction had, the answer has, and both have: the same label and, for objects, an
    overlap of one half or more, for spans the same place; the same caption. Of objects with points, each point and
    each box is one."""

    shown: int
    answered: int
    right: int


def _each(right: Callable[[Any, Any], int]) -> Callable[[Any, Any], Matches]:
    """Every region is one."""
    return lambda predicted, answered: Matches(len(predicted), len(answered), right(predicted, answered))


_MATCHES: Mapping[type, Callable[[Any, Any], Matches]] = {
    Box: _each(right_objects),
    Mask: _each(right_objects),
    Pose: lambda predicted, answered: Matches(*right_points(predicted, answered)),
    Remark: _each(right_remarks),
    Span: _each(right_spans),
}
"""How regions of a prediction are held against an answer's, by what they are."""


def matches(predicted: Target, answered: Target) -> Matches:
    """Hold a prediction against the answer. Raises `TypeError` when they are of two kinds."""
    if isinstance(predicted, Captions) and isinstance(answered, Captions):
        return Matches(len(predicted.texts), len(answered.texts), same_captions(predicted, answered))
    if isinstance(predicted, frozenset) and isinstance(answered, frozenset):
        return Matches(len(predicted), len(answered), len(predicted & answered))
    if not isinstance(predicted, tuple) or not isinstance(answered, tuple):
        raise TypeError(f"Got {type(predicted).__name__} and {type(answered).__name__}, wanted two of a kind.")
    # A box is a box, turned or not, and a span is one, whatever it is in.
    kinds = {kind for region in (*predicted, *answered) for kind in _MATCHES if isinstance(region, kind)}
    if len(kinds) > 1:
        raise TypeError(f"Got regions of {len(kinds)} kinds, wanted two answers of one kind.")
    return next((_MATCHES[kind](predicted, answered) for kind in kinds), Matches(0, 0, 0))
