"""Places of regions, of boxes and of spans alike: how much of one is the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_zoo.oriented import box_overlaps
from model_zoo.targets import all_of, some_of
from model_zoo.types import Box, FloatArray, Places, Span


def place_overlaps(first: Places, second: Places) -> FloatArray:
    """Intersection over union of each place of `first` with each of `second`, of shape (n, m). Raises `TypeError` where
    boxes are held against spans."""
    if some_of(Span, (*first, *second)):
        return span_overlaps(all_of(Span, first), all_of(Span, second))
    return box_overlaps(all_of(Box, first), all_of(Box, second))


def span_overlaps(first: Sequence[Span], second: Sequence[Span]) -> FloatArray:
    """The same of spans. Places in dialogues are numbers that no array holds, before they are those of characters."""
    shares: FloatArray = np.zeros((len(first), len(second)), np.float32)
    for row, one in enumerate(first):
        for column, other in enumerate(second):
            both = min(one.end, other.end) - max(one.start, other.start)
            if both > 0:
                shares[row, column] = both / (max(one.end, other.end) - min(one.start, other.start))
    return shares
