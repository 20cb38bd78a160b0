"""What judging one kind of task takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backend.evaluation.comparison import Scores
from model_zoo.postprocess import Postprocess
from model_zoo.types import LabelSpace, Output, Target


class Evaluation(Protocol):
    """Holds what a model says against what people say. Coordinates may be in any unit, the same on both sides."""

    def scores(self, answers: Sequence[Target], truths: Sequence[Target]) -> Scores:
        """How right each answer is, in [0, 1], for comparing two models on the same items; shape (items,)."""

    def edits(self, predicted: Target, answered: Target) -> int:
        """How many changes lead from the prediction to the answer; 0 where it was right."""

    def measure(
        self, outputs: Sequence[Output], truths: Sequence[Target], postprocess: Postprocess, labels: LabelSpace
    ) -> dict[str, float]:
        """The figures that a manifest keeps; empty where there are no items.

        Raises `ValueError` when there are not as many truths as outputs.
        """
