"""Whether a newly trained model replaces the one that serves: a pure function of scores on the same items.

More labels make models better far more often than worse, and a person's correction must show. So the challenger is
promoted unless the evidence against it is clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.evaluation.comparison import Comparison, Scores, paired_bootstrap

ENOUGH = 40
"""Items from which the holdout alone decides. With 40, a fall of 10 points is about two standard errors of the paired
difference when the two models disagree on one item in ten."""
CLEARLY = 0.95
"""Share of resamples in which the challenger must be worse to be held back on the holdout."""
CLEARLY_OUT_OF_FOLD = 0.99
"""The same on out-of-fold predictions, which lean against the challenger: its folds had fewer labels than it has."""


@dataclass(frozen=True)
class Paired:
    """Scores in [0, 1] of both models on the same items, in the same order; neither had learnt from them."""

    champion: Sequence[float] | Scores
    challenger: Sequence[float] | Scores

    def __len__(self) -> int:
        return len(self.champion)


@dataclass(frozen=True)
class Verdict:
    """`reason` is a sentence for people; `comparison` is None where nothing could be compared."""

    promote: bool
    reason: str
    comparison: Comparison | None = None


def decide(holdout: Paired | None = None, out_of_fold: Paired | None = None, *, seed: int = 0) -> Verdict:
    """Promote the challenger, or keep the champion.

    `holdout`: both on the holdout's items. `out_of_fold`: on items that came after the champion was trained, the
    champion's predictions for them and the challenger's cross-validated ones. Leave both out when there is no
    champion or when the labels have changed, as the champion cannot answer then.
    """
    if holdout is not None and len(holdout) >= ENOUGH:
        return _judge(holdout, "holdout items", CLEARLY, seed)
    if out_of_fold is not None and len(out_of_fold) >= ENOUGH:
        return _judge(out_of_fold, "new items, cross-validated", CLEARLY_OUT_OF_FOLD, seed)
    seen = max(len(pair) if pair else 0 for pair in (holdout, out_of_fold))
    return Verdict(True, f"Promoted: {seen} items to compare on, fewer than the {ENOUGH} that a comparison needs.")


def _judge(pair: Paired, items: str, clearly: float, seed: int) -> Verdict:
    comparison = paired_bootstrap(pair.champion, pair.challenger, seed)
    found = (
        f"{comparison.difference:+.3f} [{comparison.low:+.3f}, {comparison.high:+.3f}] on {comparison.items} {items}"
    )
    if comparison.worse >= clearly:
        return Verdict(False, f"Held back: the new model is clearly worse, {found}.", comparison)
    return Verdict(True, f"Promoted: {found}.", comparison)
