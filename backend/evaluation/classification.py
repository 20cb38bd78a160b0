"""Judging classifications: by the labels that were chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from backend.evaluation.comparison import Scores
from backend.evaluation.intervals import Groups, Indices, interval
from model_zoo.metrics import calibration_error, classification_metrics, flags, macro_f1
from model_zoo.postprocess import Postprocess
from model_zoo.types import Labels, LabelSpace, Output, Target


class ClassificationEvaluation:
    """An item is right when exactly its labels were chosen."""

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """The Jaccard index of each item's labels; 0 or 1 where exactly one label holds."""
        pairs = zip(_labels(answers), _labels(truths), strict=True)
        return np.array(
            [len(answer & truth) / len(answer | truth) if answer | truth else 1.0 for answer, truth in pairs]
        )

    def edits(self, predicted: Target, answered: Target) -> int:
        """Labels to add or to take away. Changing the only label of a single choice is one edit, not two."""
        (before,), (after,) = _labels([predicted]), _labels([answered])
        return max(len(before - after), len(after - before))

    def measure(
        self,
        outputs: Sequence[Output],
        truths: Sequence[Target],
        postprocess: Postprocess,
        labels: LabelSpace,
        groups: Groups | None = None,
    ) -> dict[str, float]:
        """As promised; `groups` says which outputs are of one task, where that is not each."""
        if not outputs and not truths:
            return {}
        decisions = [postprocess.decide(output, labels) for output in outputs]
        confidences = np.array([decision.confidence for decision in decisions], np.float32)
        answers = _labels([decision.target for decision in decisions])
        found = classification_metrics(answers, confidences, _labels(truths), labels)
        figures = {
            "items": float(found.items),
            "accuracy": found.accuracy,
            "macro_f1": found.macro_f1,
            "calibration_error": found.calibration_error,
        }
        given, true = flags(answers, labels), flags(_labels(truths), labels)
        statistics: dict[str, Callable[[Indices], float]] = {
            "accuracy": lambda rows: float((given[rows] == true[rows]).all(axis=1).mean()),
            "macro_f1": lambda rows: macro_f1(given[rows], true[rows]),
            "calibration_error": lambda rows: calibration_error(confidences[rows], true[rows], labels.multiple),
        }
        for name, statistic in statistics.items():
            low, high = interval(statistic, found.items, groups=groups)
            figures |= {f"{name}_low": low, f"{name}_high": high}
        return figures


def _labels(targets: Sequence[Target]) -> list[Labels]:
    strange = next((target for target in targets if not isinstance(target, frozenset)), None)
    if strange is not None:
        raise TypeError(f"Got {type(strange).__name__}, wanted sets of labels to judge a classification.")
    return [target for target in targets if isinstance(target, frozenset)]
