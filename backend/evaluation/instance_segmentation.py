"""Judging instance segmentation: objects by their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from backend.evaluation.detection import ObjectEvaluation, shares
from backend.evaluation.intervals import Indices, interval
from model_zoo.postprocess import InstancePostprocess
from model_zoo.postprocess.objects import ObjectPostprocess
from model_zoo.types import Objects


class InstanceEvaluation(ObjectEvaluation):
    """By masks. `miou` is the mean over all true objects of how far the best mask shown with their label overlaps them,
    0 where none does."""

    postprocess: ClassVar[type[ObjectPostprocess]] = InstancePostprocess

    def more(self, pairs: Sequence[tuple[Objects, Objects]]) -> dict[str, float]:
        sums = np.array([_overlap(shown, true) for shown, true in pairs])
        if not sums[:, 1].any():
            return {}

        def miou(rows: Indices) -> float:
            overlap, objects = sums[rows].sum(axis=0)
            return float(overlap / objects) if objects else float("nan")

        low, high = interval(miou, len(pairs))
        return {"miou": miou(np.arange(len(pairs))), "miou_low": low, "miou_high": high}


def _overlap(shown: Objects, true: Objects) -> tuple[float, int]:
    """The sum over an image's true objects of how far the best mask of their label overlaps them; and how many there
    are."""
    if not shown or not true:
        return 0.0, len(true)
    alike = np.array([[a.label == b.label for b in true] for a in shown], np.bool_)
    return float((shares(shown, true) * alike).max(axis=0).sum()), len(true)
