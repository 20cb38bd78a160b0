"""How far a figure could be off, had other items been drawn: percentile intervals of the bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

ROUNDS = 200
"""Resamples: the ends of an interval then move by a tenth of its width from seed to seed."""

Indices = npt.NDArray[np.int64]


def interval(statistic: Callable[[Indices], float], items: int, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of `statistic`, which is given the indices of as many items, drawn with replacement.

    Resamples for which it is no number (a share of nothing, say) are left out; (nan, nan) where all are.
    """
    random = np.random.default_rng(seed)
    values = np.array([statistic(random.integers(items, size=items)) for _ in range(ROUNDS if items else 0)])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
