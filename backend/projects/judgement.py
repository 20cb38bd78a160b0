"""What became of a prediction once somebody annotated its task."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(str, Enum):
    """What an annotator did with the prediction that was there."""

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    UNSEEN = "unseen"
    """The annotation was not made from a prediction, or which one it was is no longer known."""


@dataclass(frozen=True)
class Judgement:
    """`edits` counts labels added and labels taken away; None when there was no prediction to compare with."""

    outcome: Outcome
    edits: int | None


def judge(predicted: frozenset[str] | None, answered: frozenset[str], *, shown: bool) -> Judgement:
    """Compare the labels of one control. Changing the only label of a single choice is one edit, not two."""
    if predicted is None:
        return Judgement(Outcome.UNSEEN, None)
    edits = max(len(predicted - answered), len(answered - predicted))
    if not shown:
        return Judgement(Outcome.UNSEEN, edits)
    return Judgement(Outcome.CORRECTED if edits else Outcome.ACCEPTED, edits)
