"""Judging ratings: classifications whose labels are steps of a scale.

An item is right when exactly its step was chosen: that is what nobody has to correct, so `accuracy` and edits are those
of all classifications. Being one star off is less wrong than four, though: two models are compared by how far off they
are, and the figures say so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from backend.evaluation.classification import ClassificationEvaluation
from backend.evaluation.comparison import Scores
from backend.evaluation.intervals import Groups, interval
from model_zoo.postprocess import Postprocess
from model_zoo.types import LabelSpace, Output, Target

Steps = npt.NDArray[np.float64]


class OrderedEvaluation(ClassificationEvaluation):
    """The steps of a scale are those of `labels`, in their order."""

    def __init__(self, labels: LabelSpace) -> None:
        self._places = {name: place for place, name in enumerate(labels.names)}

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """1 for the right step, 0 for the other end of the scale, and evenly in between; 0 where none was chosen."""
        widest = max(len(self._places) - 1, 1)
        scores: Scores = 1 - self._distances(answers, truths) / widest
        return scores

    def measure(
        self,
        outputs: Sequence[Output],
        truths: Sequence[Target],
        postprocess: Postprocess,
        labels: LabelSpace,
        groups: Groups | None = None,
    ) -> dict[str, float]:
        """Those of classifications, with `mean_absolute_error` in steps and `within_one`, the share of items at most
        one step off."""
        figures = super().measure(outputs, truths, postprocess, labels, groups)
        if not figures:
            return figures
        distances = self._distances([postprocess.decide(output, labels).target for output in outputs], truths)
        for name, values in (("mean_absolute_error", distances), ("within_one", (distances <= 1).astype(np.float64))):
            low, high = interval(lambda rows, of=values: float(of[rows].mean()), len(values), groups=groups)  # type: ignore[misc]
            figures |= {name: float(values.mean()), f"{name}_low": low, f"{name}_high": high}
        return figures

    def _distances(self, answers: Sequence[Target], truths: Sequence[Target]) -> Steps:
        """How many steps apart, of shape (items,); as far as can be where one side has none that is known."""
        pairs = zip(map(self._place, answers), map(self._place, truths), strict=True)
        widest = max(len(self._places) - 1, 1)
        return np.array([widest if a is None or b is None else abs(a - b) for a, b in pairs], np.float64)

    def _place(self, target: Target) -> int | None:
        if not isinstance(target, frozenset):
            raise TypeError(f"Got {type(target).__name__}, wanted a set with one step of a scale.")
        return next((self._places[name] for name in target if name in self._places), None)
