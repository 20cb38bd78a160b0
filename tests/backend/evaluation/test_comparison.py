"""The paired bootstrap and the Wilson interval."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from backend.evaluation.comparison import paired_bootstrap, sign_flips, smallest_detectable, wilson_interval


def test_a_clear_fall_is_seen_and_its_interval_holds_the_truth() -> None:
    random = np.random.default_rng(1)
    champion = (random.random(400) < 0.9).astype(float)
    challenger = (random.random(400) < 0.7).astype(float)
    comparison = paired_bootstrap(champion, challenger)
    assert comparison.worse > 0.999
    assert comparison.low < -0.25 < comparison.high < 0
    assert comparison.difference == pytest.approx(challenger.mean() - champion.mean())


def test_pairing_finds_small_differences_between_models_that_mostly_agree() -> None:
    champion = np.array([1.0] * 100 + [0.0] * 100)
    challenger = champion.copy()
    challenger[:8] = 0
    assert paired_bootstrap(champion, challenger).worse > 0.99


def test_equal_models_differ_by_nothing() -> None:
    comparison = paired_bootstrap([1, 0, 1], [1, 0, 1])
    assert (comparison.difference, comparison.low, comparison.high, comparison.worse) == (0, 0, 0, 0)


def test_it_is_deterministic_under_a_seed_and_swaps_its_sign() -> None:
    random = np.random.default_rng(2)
    one, other = random.random((2, 50))
    assert paired_bootstrap(one, other, seed=3) == paired_bootstrap(one, other, seed=3)
    there, back = paired_bootstrap(one, other, seed=3), paired_bootstrap(other, one, seed=3)
    assert there.low == pytest.approx(-back.high)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for number in range(200):
        one, other = random.normal(0, 0.2, 60) + 0.5, random.normal(0, 0.2, 60) + 0.55
        comparison = paired_bootstrap(one, other, seed=number)
        covered += comparison.low <= 0.05 <= comparison.high
    assert 0.88 <= covered / 200 <= 0.99


def test_different_lengths_and_many_items() -> None:
    with pytest.raises(ValueError, match="2 and 3 scores"):
        paired_bootstrap([1, 0], [1, 0, 1])
    many = np.random.default_rng(0).random(20_000)
    assert paired_bootstrap(many, 1 - many).items == 20_000


def test_falls_as_large_as_said_are_found_in_four_of_five_cases() -> None:
    random = np.random.default_rng(5)
    said = paired_bootstrap(*(random.random((2, 200)) < 0.8).astype(float)).detectable
    found = 0
    for number in range(100):
        champion, challenger = random.random((2, 200)) < np.array([[0.8], [0.8 - said]])
        found += paired_bootstrap(champion.astype(float), challenger.astype(float), seed=number).worse >= 0.95
    assert 65 <= found <= 92


def test_nothing_can_be_found_out_without_items() -> None:
    assert smallest_detectable(np.zeros(0)) == 1.0
    assert smallest_detectable(np.zeros(2)) == 1.0
    assert 0.1 < smallest_detectable(np.zeros(20)) < 0.2


def test_wilson_interval_is_the_textbook_s() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)
    low, high = wilson_interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)
    assert wilson_interval(0, 10)[0] == pytest.approx(0.0)


def test_chance_that_signs_alone_make_a_fall_is_the_binomial_s() -> None:
    for lost, won in ((3, 0), (5, 0), (6, 1), (0, 4)):
        champion, challenger = [1.0] * lost + [0.0] * won + [1.0] * 10, [0.0] * lost + [1.0] * won + [1.0] * 10
        exact = sum(comb(lost + won, few) for few in range(won + 1)) / 2 ** (lost + won)
        assert sign_flips(champion, challenger) == pytest.approx(exact, abs=0.02)
    assert sign_flips([0.5, 1.0], [0.5, 1.0]) == 1.0
