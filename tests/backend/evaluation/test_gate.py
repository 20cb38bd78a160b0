"""The gate: promote unless clearly worse."""

from __future__ import annotations

import numpy as np

from backend.evaluation.comparison import paired_bootstrap
from backend.evaluation.gate import ENOUGH, LEAST, MARGIN, Paired, decide


def pair(champion: float, challenger: float, items: int, seed: int = 0) -> Paired:
    """Both models' hits on the same items, each hit or not at random."""
    random = np.random.default_rng(seed)
    return Paired((random.random(items) < champion).astype(float), (random.random(items) < challenger).astype(float))


def test_without_anything_to_compare_on_the_challenger_is_promoted() -> None:
    assert decide().promote
    verdict = decide(pair(1.0, 0.0, LEAST - 15), pair(1.0, 0.0, 14), pair(1.0, 0.0, 100))
    assert verdict.promote
    assert verdict.comparison is None
    assert f"{LEAST - 15} holdout items, 14 new items" in verdict.reason


def test_a_clearly_worse_challenger_is_held_back() -> None:
    verdict = decide(pair(0.9, 0.5, 100))
    assert not verdict.promote
    assert verdict.reason.startswith("Held back: the new model is clearly worse, -0.")
    assert "100 holdout items" in verdict.reason


def test_better_equal_and_doubtful_challengers_are_promoted() -> None:
    assert decide(pair(0.5, 0.9, 100)).promote
    assert decide(Paired([1.0, 0.0] * 50, [1.0, 0.0] * 50)).promote
    one_less = Paired([1.0] * 50, [1.0] * 49 + [0.0])
    assert decide(one_less).promote


def test_while_the_holdout_is_small_judgements_must_agree_with_what_neither_has_learnt_from() -> None:
    worse, better, alike = pair(0.9, 0.4, 80), pair(0.5, 0.6, 80), pair(0.8, 0.8, 80)
    small = pair(0.9, 0.4, ENOUGH - 1)
    assert not decide(small, worse, worse).promote
    for holdout, out_of_fold, running in (
        (small, worse, better),
        (None, better, worse),
        (pair(0.8, 0.9, ENOUGH - 1), alike, worse),
    ):
        assert decide(holdout, out_of_fold, running).promote


def test_where_nobody_judges_what_neither_has_learnt_from_decides() -> None:
    """As with labels that were imported."""
    for holdout, out_of_fold in ((pair(0.9, 0.4, 25), pair(0.5, 0.3, 32)), (pair(0.9, 0.3, 30), None)):
        for running in (None, pair(0.1, 0.9, LEAST - 1)):
            verdict = decide(holdout, out_of_fold, running)
            assert not verdict.promote
            assert f"on {len(holdout) + len(out_of_fold or ())} items that neither has learnt from" in verdict.reason


def test_a_few_lost_items_of_a_few_may_be_chance() -> None:
    lost = Paired([1.0] * LEAST, [0.0] * 3 + [1.0] * (LEAST - 3))
    assert paired_bootstrap(lost.champion, lost.challenger, 0, MARGIN).worse > 0.95
    assert decide(lost).promote
    assert not decide(Paired([1.0] * LEAST, [0.0] * 6 + [1.0] * (LEAST - 6))).promote


def test_the_verdict_is_of_what_neither_has_learnt_from() -> None:
    clear, doubtful = pair(1.0, 0.0, 80), pair(0.9, 0.6, 40)
    verdict = decide(None, clear, doubtful)
    assert not verdict.promote
    assert verdict.comparison is not None
    assert verdict.comparison.items == len(clear)
    assert "80 items that neither has learnt from" in verdict.reason
    assert "40 judged predictions" in verdict.reason


def test_a_large_holdout_overrules_other_evidence() -> None:
    worse, better = pair(0.9, 0.1, 100), pair(0.5, 0.9, 100)
    assert decide(better, worse, worse).promote
    assert not decide(worse, better, better).promote


def test_a_fall_within_the_margin_is_no_reason() -> None:
    items = 1000
    fall = [1.0] * items, [0.0] * int(MARGIN * items - 3) + [1.0] * (items - int(MARGIN * items - 3))
    assert decide(Paired(*fall)).promote
    assert paired_bootstrap(*fall).worse > 0.95, "without a margin it would be one"


def test_the_verdict_says_what_it_could_not_have_seen() -> None:
    small, large = (decide(pair(0.9, 0.9, items)).comparison for items in (ENOUGH, 20 * ENOUGH))
    assert small is not None
    assert large is not None
    assert 0.03 < large.detectable < small.detectable < 0.5
    assert f"a fall of {small.detectable:.2f} would show" in decide(pair(0.9, 0.9, ENOUGH)).reason


def test_equal_models_are_rarely_held_back() -> None:
    for items in (60, 30):
        held = sum(not decide(pair(0.8, 0.8, items, seed)).promote for seed in range(200))
        assert held <= 0.07 * 200


def test_where_nothing_is_cross_validated_a_model_that_has_not_learnt_its_examples_is_held_back() -> None:
    gone_wrong, fine = pair(0.9, 0.3, 40), pair(0.9, 0.9, 40)
    verdict = decide(pair(0.9, 0.3, 5), None, None, gone_wrong)
    assert not verdict.promote
    assert "40 items that the new model has learnt from" in verdict.reason
    assert decide(pair(0.9, 0.3, 5), None, None, fine).promote
    assert decide(None, None, None, pair(0.9, 0.0, LEAST - 1)).promote, "of so few nothing is said"
    assert decide(pair(0.9, 0.9, 30), None, None, gone_wrong).promote, "what neither has learnt from says more"
