"""The gate: promote unless clearly worse."""

from __future__ import annotations

import numpy as np

from backend.evaluation.gate import ENOUGH, Paired, decide


def pair(champion: float, challenger: float, items: int, seed: int = 0) -> Paired:
    """Both models' hits on the same items, each hit or not at random."""
    random = np.random.default_rng(seed)
    return Paired((random.random(items) < champion).astype(float), (random.random(items) < challenger).astype(float))


def test_without_anything_to_compare_on_the_challenger_is_promoted() -> None:
    assert decide().promote
    verdict = decide(pair(1.0, 0.0, ENOUGH - 1), pair(1.0, 0.0, 5))
    assert verdict.promote
    assert verdict.comparison is None
    assert f"{ENOUGH - 1} items to compare on" in verdict.reason


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


def test_out_of_fold_evidence_decides_while_the_holdout_is_small() -> None:
    assert not decide(pair(1.0, 0.0, 10), pair(0.9, 0.4, 80)).promote
    assert decide(pair(1.0, 0.0, 10), pair(0.5, 0.6, 80)).promote


def test_a_large_holdout_overrules_out_of_fold_evidence() -> None:
    assert decide(pair(0.5, 0.9, 100), pair(0.9, 0.1, 100)).promote
    assert not decide(pair(0.9, 0.5, 100), pair(0.1, 0.9, 100)).promote


def test_out_of_fold_evidence_has_to_be_stronger() -> None:
    """Six losses and one win on 60 items: enough on a holdout, not out of fold."""
    champion = [1.0] * 6 + [0.0] + [1.0] * 53
    challenger = [0.0] * 6 + [1.0] + [1.0] * 53
    assert not decide(holdout=Paired(champion, challenger)).promote
    assert decide(out_of_fold=Paired(champion, challenger)).promote


def test_equal_models_are_rarely_held_back() -> None:
    held = sum(not decide(pair(0.8, 0.8, 60, seed)).promote for seed in range(200))
    assert held <= 0.1 * 200
