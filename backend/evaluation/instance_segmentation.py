"""Judging instance segmentation: objects by their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from backend.evaluation.detection import ObjectEvaluation, shares
from model_zoo.postprocess import InstancePostprocess
from model_zoo.postprocess.objects import ObjectPostprocess
from model_zoo.types import Objects


class InstanceEvaluation(ObjectEvaluation):
    """By masks. `miou` is the mean over all true objects of how far the best mask shown with their label overlaps them,
    0 where none does."""

    postprocess: ClassVar[type[ObjectPostprocess]] = InstancePostprocess

    def more(self, pairs: Sequence[tuple[Objects, Objects]]) -> dict[str, float]:
        best: list[float] = []
        for shown, true in pairs:
            alike = np.array([[a.label == b.label for b in true] for a in shown], np.bool_)
            if not shown or not true:
                best += [0.0] * len(true)
            else:
                best += (shares(shown, true) * alike).max(axis=0).tolist()
        return {"miou": float(np.mean(best))} if best else {}
