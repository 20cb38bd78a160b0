"""When larger recipes are tried, how they are judged, and what is kept of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from model_zoo.base import Watch
from model_zoo.descent import Descent
from model_zoo.errors import CheckpointError
from model_zoo.recipes import Recipe
from model_zoo.tuning.climb import Counts, Learner, compared, judge
from model_zoo.tuning.effort import Effort, TooSlow
from model_zoo.tuning.honest import KEYS, ROWS, Honest, keys_of
from model_zoo.tuning.hyperparameters import FEW_SHOT, FINE_TUNE, Cost, Tuning, affordable, rungs, size_of
from model_zoo.tuning.trial import Trial
from model_zoo.types import ClassificationOutput, Output

MICRO = Recipe()
USUAL = Tuning(least=100)


@pytest.mark.parametrize(
    ("recipe", "count", "labels", "tried", "wanted"),
    [
        (MICRO, 99, 3, 0, ()),
        (MICRO, 100, 3, 0, (FEW_SHOT,)),
        (MICRO, 300, 3, 0, (FEW_SHOT, FINE_TUNE)),
        (MICRO, 300, 77, 0, ()),
        (MICRO, 149, 3, 100, ()),
        (MICRO, 150, 3, 100, (FEW_SHOT,)),
        (Recipe(FINE_TUNE), 20, 3, 0, (FINE_TUNE,)),
        (Recipe(FINE_TUNE), 25, 3, 20, ()),
    ],
)
def test_larger_recipes_want_many_labels(
    recipe: Recipe, count: int, labels: int, tried: int, wanted: tuple[str, ...]
) -> None:
    assert rungs(recipe, USUAL, count, labels, tried) == wanted


def test_what_is_affordable_is_reckoned_and_not_measured() -> None:
    cost = Cost(0.01, 0.05)
    assert affordable(Tuning(seconds=120, epochs=8, parts=3), cost, 200, 4, 3) == 3
    assert affordable(Tuning(seconds=1e6, epochs=8), cost, 200, 4, 3) == 8
    assert affordable(Tuning(seconds=1), cost, 200, 4, 3) < 1
    assert size_of(["x" * 120, "x" * 60]) == 1.5
    assert size_of([np.zeros((2, 2, 3), np.uint8)]) == 1.0


class Coin(Learner):
    """Says which of two labels a number has, by a threshold that it learns; `skill` is what it can know."""

    def __init__(self, truths: npt.NDArray[np.bool_], skill: float) -> None:
        random = np.random.default_rng(0)
        self.truths = truths
        self.seen = np.where(random.random(len(truths)) < skill, truths, ~truths)
        self.asked: list[list[int]] = []
        self.chosen: Sequence[int] = ()

    @property
    def views(self) -> Sequence[Sequence[int]]:
        return [[at] for at in range(len(self.truths))]

    def begin(self, chosen: Sequence[int]) -> None:
        self.chosen = chosen
        self.weight = torch.zeros(1, requires_grad=True)

    def optimizer(self) -> Any:
        return torch.optim.SGD([{"params": [self.weight], "base": 1.0}])

    def loss(self, views: Sequence[int]) -> torch.Tensor:
        assert set(views) <= set(self.chosen)
        return (self.weight - 1).square().sum()

    def answers(self, examples: Sequence[int]) -> list[Output]:
        assert not set(examples) & set(self.chosen)
        self.asked.append(list(examples))
        return [ClassificationOutput(np.float32([1, 0] if self.seen[at] else [0, 1])) for at in examples]

    def counts(self, outputs: Sequence[Output], examples: Sequence[int]) -> Counts:
        said = [output.probabilities[0] > 0.5 for output in outputs if isinstance(output, ClassificationOutput)]
        right = np.array(said) == self.truths[list(examples)]
        return np.stack([right, np.ones(len(right)), np.ones(len(right))], axis=1).astype(np.float64)

    def surprise(self, outputs: Sequence[Output], examples: Sequence[int]) -> float:
        return float(len(self.asked))  # worse and worse

    def fair(self, chosen: Sequence[int], examples: Sequence[int]) -> npt.NDArray[np.bool_]:
        return np.ones(len(examples), np.bool_)


def coin(skill: float, rival: float, count: int = 90) -> tuple[Coin, list[Output | None]]:
    truths = np.random.default_rng(1).random(count) < 0.5
    theirs = Coin(truths, rival)
    theirs.begin([])
    return Coin(truths, skill), list(theirs.answers(range(count)))


NUMBERS = np.arange(90) % 3
FAST = Tuning(epochs=6, patience=2, batch=10)


def test_what_is_clearly_better_pays() -> None:
    learner, rival = coin(0.95, 0.6)
    found = judge(learner, rival, NUMBERS, 3, FAST, 6, 0, lambda share, loss: None)
    assert found.pays
    assert found.gain > 0.2
    assert found.epochs == 1, "the first epoch was the best"
    assert all(output is not None for output in found.outputs)
    assert len(learner.asked) == 3 * 3, "two epochs without gain end the first part, and the others as early"


def test_what_is_worse_is_given_up_after_one_part() -> None:
    learner, rival = coin(0.5, 0.9)
    found = judge(learner, rival, NUMBERS, 3, FAST, 6, 0, lambda share, loss: None)
    assert not found.pays
    assert len(learner.asked) == 3
    demanded = judge(learner, rival, NUMBERS, 3, FAST, 6, 0, lambda share, loss: None, must=True)
    assert not demanded.pays
    assert all(output is not None for output in demanded.outputs)


def test_equals_do_not_pay() -> None:
    learner, rival = coin(0.8, 0.8)
    assert compared(learner.counts, rival, rival, 0) == (0.0, False)
    assert compared(learner.counts, [None] * 90, rival, 0) == (0.0, False)


def test_a_trial_climbs_no_further_than_it_pays() -> None:
    made: list[str] = []

    def make(recipe: str, tuning: Tuning, views: int, check: Any) -> Coin:
        made.append(recipe)
        return coin(0.95 if recipe == FEW_SHOT else 0.6, 0.6)[0]

    rival, cheap = tuple(coin(0.95, 0.6)[1]), {FEW_SHOT: Cost(0, 0.001), FINE_TUNE: Cost(0, 0.001)}
    trial = Trial(make, NUMBERS, rival, FAST, cheap, 1.0, False, 0)
    won, notes = trial.run((FEW_SHOT, FINE_TUNE), Effort(Watch(), 0.0, None))
    assert made == [FEW_SHOT, FINE_TUNE]
    assert won is not None
    assert (won.recipe, won.tuning.epochs, notes) == (FEW_SHOT, 1, ())
    dear = Trial(make, NUMBERS, rival, FAST, {FEW_SHOT: Cost(0, 9.0)}, 1.0, False, 0)
    won, notes = dear.run((FEW_SHOT,), Effort(Watch(), 0.0, None))
    assert won is None
    assert "would take more than 120 seconds" in notes[0]
    slow = Effort(Watch(), 0.0, -1.0)
    won, notes = trial.run((FEW_SHOT,), slow)
    assert won is None
    assert "was given up" in notes[0]
    with pytest.raises(TooSlow):
        slow.check()


def test_what_is_kept_of_honest_answers_round_trips() -> None:
    keys = keys_of([b"one", b"two", b"three"])
    rows = [np.float32([[0.1, 0.9]]), None, np.empty((0, 2), np.float32)]
    kept = Honest(dict(zip(keys, rows, strict=True)))
    found = Honest.from_arrays(kept.arrays())
    assert list(found.rows) == keys
    for key, row in kept.rows.items():
        np.testing.assert_array_equal(found.rows[key], row)  # type: ignore[arg-type]  # None equals None
    assert Honest.from_arrays({}) == Honest()
    with pytest.raises(CheckpointError, match="train again"):
        Honest.from_arrays({KEYS: kept.arrays()[KEYS], ROWS: kept.arrays()[ROWS]})


def test_a_descent_is_looked_at_with_averaged_weights() -> None:
    weight = torch.zeros(1, requires_grad=True)
    seen: list[float] = []

    def look() -> bool:
        seen.append(float(weight.detach()))
        return len(seen) == 3

    told: list[float] = []
    optimizer = torch.optim.SGD([{"params": [weight], "base": 0.1}])
    Descent(20, 1, 0).run(
        optimizer, [0], lambda batch: (weight - 1).square().sum(), lambda share, loss: told.append(loss), look, 2
    )
    assert len(told) == 6, "three looks, each after two steps"
    assert 0 < seen[0] < seen[1] < seen[2] == float(weight.detach())
