"""What a model is worth on items that it has not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.evaluation.comparison import Scores
from model_zoo.metrics import ClassificationMetrics, classification_metrics
from model_zoo.postprocess import Decision
from model_zoo.types import LabelSpace


@dataclass(frozen=True)
class Measures:
    """`scores` holds one number in [0, 1] an item, for comparing two models on the same items."""

    metrics: ClassificationMetrics
    scores: Scores

    def to_json(self) -> dict[str, float]:
        """The figures that a manifest keeps."""
        return {
            "items": float(self.metrics.items),
            "accuracy": self.metrics.accuracy,
            "macro_f1": self.metrics.macro_f1,
            "calibration_error": self.metrics.calibration_error,
        }


def measure(decisions: Sequence[Decision], truths: Sequence[frozenset[str]], labels: LabelSpace) -> Measures | None:
    """Hold decisions against the truth, item by item; None when there are no items.

    Raises `ValueError` when there are not as many truths as decisions.
    """
    if not decisions and not truths:
        return None
    answers = [frozenset(name for name, _ in decision.labels) for decision in decisions]
    confidences = np.array([decision.confidence for decision in decisions], np.float32)
    return Measures(classification_metrics(answers, confidences, truths, labels), item_scores(answers, truths))


def item_scores(answers: Sequence[frozenset[str]], truths: Sequence[frozenset[str]]) -> Scores:
    """The Jaccard index of each item's labels; 0 or 1 where exactly one label holds. Shape (items,)."""
    pairs = zip(answers, truths, strict=True)
    return np.array([len(answer & truth) / len(answer | truth) if answer | truth else 1.0 for answer, truth in pairs])
