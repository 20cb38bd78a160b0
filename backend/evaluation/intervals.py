"""How far a figure could be off, had other items been drawn: percentile intervals of the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

ROUNDS = 200
"""Resamples: the ends of an interval then move by a tenth of its width from seed to seed."""

Indices = npt.NDArray[np.int64]


Groups = Sequence[Indices]
"""The rows of each task, where several of an item's pieces are judged by themselves."""


def interval(
    statistic: Callable[[Indices], float], items: int, seed: int = 0, groups: Groups | None = None
) -> tuple[float, float]:
    """The 95 % interval of `statistic`, which is given the indices of as many items, drawn with replacement; with
    `groups` it is these that are drawn, for what belongs together is right or wrong together.

    Resamples for which it is no number (a share of nothing, say) are left out; (nan, nan) where all are.
    """
    random = np.random.default_rng(seed)
    values = []
    for _ in range(ROUNDS if items else 0):
        rows = random.integers(items, size=items)
        if groups is not None:
            rows = np.concatenate([groups[at] for at in random.integers(len(groups), size=len(groups))])
        values.append(statistic(rows))
    return percentiles(np.array(values))


def resamples(items: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """How often each item is in each resample, of shape (resamples, items): for statistics that take all at once."""
    drawn = np.random.default_rng(seed).integers(items, size=(ROUNDS, items))
    return np.stack([np.bincount(rows, minlength=items) for rows in drawn]).astype(np.int64)


def percentiles(values: npt.NDArray[np.floating]) -> tuple[float, float]:
    """The ends of the 95 % interval of what resamples gave; those that are no number are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
