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
    verdict = decide(pair(1.0, 0.0, ENOUGH - 1), pair(1.0, 0.0, LEAST - 1), pair(1.0, 0.0, 100))
    assert verdict.promote
    assert verdict.comparison is None
    assert f"{ENOUGH - 1} holdout items" in verdict.reason


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


def test_while_the_holdout_is_small_both_kinds_of_evidence_must_speak_against_the_challenger() -> None:
    worse, better = pair(0.9, 0.4, 80), pair(0.5, 0.6, 80)
    small = pair(1.0, 0.0, ENOUGH - 1)
    assert not decide(small, worse, worse).promote
    for out_of_fold, running in ((worse, better), (better, worse), (worse, None), (None, worse)):
        assert decide(small, out_of_fold, running).promote


def test_the_least_clear_evidence_is_the_verdict_s() -> None:
    clear, doubtful = pair(1.0, 0.0, 80), pair(0.9, 0.6, 40)
    verdict = decide(None, clear, doubtful)
    assert not verdict.promote
    assert verdict.comparison is not None
    assert verdict.comparison.items == len(doubtful)
    assert "80 new items, cross-validated" in verdict.reason
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
    held = sum(not decide(pair(0.8, 0.8, 60, seed)).promote for seed in range(200))
    assert held <= 0.07 * 200
