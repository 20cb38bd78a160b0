"""Whether a newly trained model replaces the one that serves: a pure function of scores on the same items.

More labels make models better far more often than worse, and a person's correction must show. So the challenger is
promoted unless the evidence against it is clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.evaluation.comparison import Comparison, Scores, paired_bootstrap

ENOUGH = 50
"""Items from which the holdout alone decides."""
LEAST = 20
"""Items below which out-of-fold predictions and running accuracy say nothing: three lost of so few may be chance."""
MARGIN = 0.01
"""How much worse, on average, a new model may be: what one disputed label in a hundred makes."""
CLEARLY = 0.95
"""Share of resamples in which the challenger must be worse by more than the margin to be held back."""


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


def decide(
    holdout: Paired | None = None, out_of_fold: Paired | None = None, running: Paired | None = None, *, seed: int = 0
) -> Verdict:
    """Promote the challenger, or keep the champion.

    `holdout`: both on the holdout's items. `out_of_fold`: on items that came after the champion was trained, the
    champion's predictions for them and the challenger's cross-validated ones. `running`: what people made of the
    predictions that they were shown, and the challenger's cross-validated ones for the same items. While the holdout
    is small, both of these must speak against the challenger: the first leans against it, since its folds had fewer
    labels than it has, and the second is of earlier models, too.

    Leave all out when there is no champion or when the labels have changed, as the champion cannot answer then.
    """
    if holdout is not None and len(holdout) >= ENOUGH:
        return _verdict([("holdout items", holdout)], seed)
    both = [("new items, cross-validated", out_of_fold), ("judged predictions", running)]
    heard = [(name, pair) for name, pair in both if pair is not None and len(pair) >= LEAST]
    if len(heard) == len(both):
        return _verdict(heard, seed)
    seen = ", ".join(f"{len(pair) if pair else 0} {name}" for name, pair in [("holdout items", holdout), *both])
    return Verdict(
        True,
        f"Promoted: too little to compare on ({seen}); wanted {ENOUGH} of the first, or {LEAST} of each of the others.",
    )


def _verdict(pairs: Sequence[tuple[str, Paired]], seed: int) -> Verdict:
    """Held back where every comparison says so; the one that says it least clearly is the verdict's."""
    found = [(name, paired_bootstrap(pair.champion, pair.challenger, seed, MARGIN)) for name, pair in pairs]
    figures = "; ".join(_spoken(name, comparison) for name, comparison in found)
    weakest = min((comparison for _, comparison in found), key=lambda comparison: comparison.worse)
    if weakest.worse >= CLEARLY:
        return Verdict(False, f"Held back: the new model is clearly worse, {figures}.", weakest)
    return Verdict(True, f"Promoted: {figures}.", weakest)


def _spoken(items: str, comparison: Comparison) -> str:
    return (
        f"{comparison.difference:+.3f} [{comparison.low:+.3f}, {comparison.high:+.3f}] on {comparison.items} {items}, "
        f"where a fall of {comparison.detectable:.2f} would show"
    )
