"""Splitting examples for cross-validation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def stratified(targets: npt.NDArray[np.bool_], folds: int, seed: int) -> npt.NDArray[np.int64]:
    """A fold number for each item (items,), given which labels apply (items, labels).

    Items of one label are dealt out evenly. An item of several labels counts for the rarest of them, in the
    spirit of Sechidis et al. 2011 (https://doi.org/10.1007/978-3-642-23808-6_10).
    """
    counts = targets.sum(axis=0)
    rarity = np.where(targets, counts, len(targets) + 1)
    groups = np.where(targets.any(axis=1), rarity.argmin(axis=1), -1)
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    dealt = shuffled[np.argsort(groups[shuffled], kind="stable")]
    numbers = np.empty(len(targets), np.int64)
    numbers[dealt] = np.arange(len(targets)) % folds
    return numbers
