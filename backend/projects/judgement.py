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
    """`edits` counts what people changed; None when there was no prediction to compare with."""

    outcome: Outcome
    edits: int | None


def judge(edits: int | None, *, shown: bool) -> Judgement:
    """What became of a prediction that is so many `edits` from the answer, as the kind of task counts them."""
    if edits is None or not shown:
        return Judgement(Outcome.UNSEEN, edits)
    return Judgement(Outcome.CORRECTED if edits else Outcome.ACCEPTED, edits)
