"""Judging what is said of single regions: region by region, as classifications of whole items are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.evaluation.classification import ClassificationEvaluation
from backend.evaluation.comparison import Scores
from model_zoo.boxes import match_shares
from model_zoo.places import place_overlaps
from model_zoo.postprocess import Postprocess, RegionPostprocess
from model_zoo.postprocess.regions import judged
from model_zoo.targets import all_of
from model_zoo.types import Labels, LabelSpace, Output, Places, Remark, Remarks, Target

RIGHT = 0.5
"""Overlap from which on two regions are one, as for objects."""


class RemarkEvaluation:
    """What is said of a region that nobody kept is no mistake of its own: the region was. `each` judges one region."""

    def __init__(self, each: ClassificationEvaluation) -> None:
        self._each = each

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """The mean over each item's true remarks; 0 for one whose region is missing, 1 where there is none."""
        pairs = (paired(answer, truth) for answer, truth in zip(answers, truths, strict=True))
        return np.array([self._score(both) for both in pairs])

    def edits(self, predicted: Target, answered: Target) -> int:
        """Labels to add or to take away, all regions together."""
        return sum(
            self._each.edits(before if before is not None else frozenset(), after)
            for before, after in paired(predicted, answered)
        )

    def measure(
        self, outputs: Sequence[Output], truths: Sequence[Target], postprocess: Postprocess, labels: LabelSpace
    ) -> dict[str, float]:
        """The figures of a classification, `items` being regions; their intervals are of tasks drawn again."""
        if len(outputs) != len(truths):
            raise ValueError(f"Got {len(outputs)} outputs and {len(truths)} truths; wanted as many of each.")
        if not isinstance(postprocess, RegionPostprocess):
            raise TypeError(f"Got a {type(postprocess).__name__}, wanted a RegionPostprocess to judge regions.")
        items = [judged(output, truth) for output, truth in zip(outputs, truths, strict=True)]
        pairs = [pair for item in items for pair in item]
        ends = np.cumsum([len(item) for item in items])
        groups = [np.arange(end - len(item), end) for item, end in zip(items, ends, strict=True)]
        return self._each.measure(
            [one for one, _ in pairs], [true for _, true in pairs], postprocess.each, labels, groups
        )

    def _score(self, pairs: Sequence[tuple[Labels | None, Labels]]) -> float:
        found = [(before, after) for before, after in pairs if before is not None]
        if not pairs:
            return 1.0
        right = self._each.scores([before for before, _ in found], [after for _, after in found])
        return float(right.sum() / len(pairs))


def paired(predicted: Target, answered: Target) -> list[tuple[Labels | None, Labels]]:
    """For each remark of the answer what was predicted of that region; None where nothing was."""
    before, after = all_of(Remark, predicted), all_of(Remark, answered)
    matched = match_shares(place_overlaps(_places(after), _places(before)), RIGHT).tolist()
    return [
        (frozenset(before[at].labels) if at >= 0 else None, frozenset(remark.labels))
        for remark, at in zip(after, matched, strict=True)
    ]


def right_remarks(predicted: Remarks, answered: Remarks) -> int:
    """How many regions of the answer have just the labels that were predicted."""
    return sum(before == after for before, after in paired(predicted, answered))


def _places(remarks: Remarks) -> Places:
    return tuple(remark.place for remark in remarks)
