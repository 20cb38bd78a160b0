"""Whether a newly trained model replaces the one that serves: a pure function of scores on the same items.

More labels make models better far more often than worse, and a person's correction must show. So the challenger is
promoted unless the evidence against it is clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.evaluation.comparison import Comparison, Scores, paired_bootstrap, sign_flips

ENOUGH = 50
"""Items from which the holdout alone decides."""
LEAST = 20
"""Items below which nothing is said: of so few, a bad model is seen in one case of three."""
MARGIN = 0.01
"""How much worse, on average, a new model may be: what one disputed label in a hundred makes."""
CLEARLY = 0.95
"""Share of resamples in which the challenger must be worse by more than the margin to be held back."""
CHANCE = 0.05
"""How probable as large a fall may be where nothing but chance makes it, on the few items of a small holdout."""
AGREES = 0.5
"""The same share that says of judged predictions that they point the same way."""


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
    holdout: Paired | None = None,
    out_of_fold: Paired | None = None,
    running: Paired | None = None,
    learnt: Paired | None = None,
    *,
    seed: int = 0,
) -> Verdict:
    """Promote the challenger, or keep the champion.

    `holdout`: both on the holdout's items. `out_of_fold`: on items that came after the champion was trained, the
    champion's predictions for them and the challenger's cross-validated ones. `running`: what people made of the
    predictions that they were shown, and the challenger's cross-validated ones for the same items. `learnt`: both on
    what the challenger has learnt from, where its family cross-validates nothing.

    While the holdout is small, its items and the new ones are one: neither model has learnt from any of them. They must
    speak clearly against the challenger, and running accuracy must agree, unless people have judged next to nothing, as
    where labels were imported. The new items lean against the challenger, since its folds had fewer labels than it has.
    Without either, a model that knows less even of its own examples than the one before has gone wrong, and is all
    that can be told.

    Leave all out when there is no champion or when the labels have changed, as the champion cannot answer then.
    """
    if holdout is not None and len(holdout) >= ENOUGH:
        return _verdict([("holdout items", holdout)], seed)
    fresh = _joined(holdout, out_of_fold)
    if len(fresh) >= LEAST:
        judged = [("judged predictions", running)] if running is not None and len(running) >= LEAST else []
        return _verdict([("items that neither has learnt from", fresh), *judged], seed, few=True)
    if learnt is not None and len(learnt) >= LEAST:
        return _verdict([("items that the new model has learnt from", learnt)], seed, few=True)
    return Verdict(
        True,
        f"Promoted: too little to compare on ({len(holdout) if holdout else 0} holdout items, "
        f"{len(out_of_fold) if out_of_fold else 0} new items, cross-validated); wanted {LEAST} in all.",
    )


def _joined(*pairs: Paired | None) -> Paired:
    known = [pair for pair in pairs if pair is not None]
    return Paired(
        [float(score) for pair in known for score in pair.champion],
        [float(score) for pair in known for score in pair.challenger],
    )


def _verdict(pairs: Sequence[tuple[str, Paired]], seed: int, few: bool = False) -> Verdict:
    """Held back where the first comparison, which is the verdict's, clearly says so and no other disagrees. Of `few`
    items, chance must be as improbable as resampling says."""
    found = [(name, paired_bootstrap(pair.champion, pair.challenger, seed, MARGIN)) for name, pair in pairs]
    figures = "; ".join(_spoken(name, comparison) for name, comparison in found)
    (_, first), *others = found
    _, pair = pairs[0]
    clear = first.worse >= CLEARLY and (not few or sign_flips(pair.champion, pair.challenger, seed) <= CHANCE)
    if clear and all(comparison.worse >= AGREES for _, comparison in others):
        return Verdict(False, f"Held back: the new model is clearly worse, {figures}.", first)
    return Verdict(True, f"Promoted: {figures}.", first)


def _spoken(items: str, comparison: Comparison) -> str:
    return (
        f"{comparison.difference:+.3f} [{comparison.low:+.3f}, {comparison.high:+.3f}] on {comparison.items} {items}, "
        f"where a fall of {comparison.detectable:.2f} would show"
    )
