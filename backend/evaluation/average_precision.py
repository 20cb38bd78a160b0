"""Mean average precision with its intervals: tasks are drawn again, and what was matched in each stays matched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.evaluation.intervals import percentiles, resamples
from model_zoo.average_precision import Ranked, means


def precision_figures(rankings: Sequence[Ranked], images: int, prefix: str = "") -> dict[str, float]:
    """`map50` and `map50_95`, with `prefix` before them; empty where no label has a true object."""
    whole = means(rankings, np.ones((1, images), np.int64)) if rankings else ()
    if not whole or np.isnan(whole[0][0]):
        return {}
    figures: dict[str, float] = {}
    for name, value, drawn in zip(("map50", "map50_95"), whole, means(rankings, resamples(images)), strict=True):
        low, high = percentiles(drawn)
        figures |= {f"{prefix}{name}": float(value[0]), f"{prefix}{name}_low": low, f"{prefix}{name}_high": high}
    return figures
