"""Whether training more of a network pays: judged by examples that were left out, epoch by epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.descent import Descent
from model_zoo.tuning.hyperparameters import Tuning
from model_zoo.types import Output

if TYPE_CHECKING:
    from torch import Tensor

Counts = npt.NDArray[np.float64]
"""Of each example, shape (examples, 3): how much of the answer is right, how much was answered, how much is true."""
Numbers = npt.NDArray[np.int64]
Outputs = tuple[Output | None, ...]
Step = Callable[[float, float], None]
CountsOf = Callable[[Sequence[Output], Sequence[int]], Counts]
"""From outputs and the numbers of their examples."""
RESAMPLES = 200
CLEARLY = 1.5


class Learner(ABC):
    """A network and what it is to learn: examples by number, in some views each."""

    @property
    @abstractmethod
    def views(self) -> Sequence[Sequence[int]]:
        """The numbers of each example's views."""

    @abstractmethod
    def begin(self, chosen: Sequence[int]) -> None:
        """Forget everything but what micro would have learnt from the chosen examples."""

    @abstractmethod
    def optimizer(self) -> Any:
        """Of all that learns, in groups with a `base` rate each."""

    @abstractmethod
    def loss(self, views: Sequence[int]) -> Tensor: ...

    @abstractmethod
    def answers(self, examples: Sequence[int]) -> list[Output]:
        """What it says now of the examples as they are."""

    @abstractmethod
    def counts(self, outputs: Sequence[Output], examples: Sequence[int]) -> Counts:
        """What is right about such answers."""

    @abstractmethod
    def surprise(self, outputs: Sequence[Output], examples: Sequence[int]) -> float:
        """How bad answers are on the whole; by this the best epoch is chosen."""

    @abstractmethod
    def fair(self, chosen: Sequence[int], examples: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Which examples can judge what was learnt from the chosen ones."""


@dataclass(frozen=True)
class Judged:
    """Outputs for examples left out, None where there is none; after how many epochs; and by how much they are better
    than those they were compared with, in F1, which of single labels is accuracy."""

    outputs: Outputs
    epochs: int
    gain: float
    pays: bool


def fit(learner: Learner, chosen: Sequence[int], tuning: Tuning, epochs: int, seed: int, step: Step,
        look: Callable[[], bool] | None = None, planned: int = 0) -> float:  # fmt: skip
    """Train on the chosen examples for `epochs` of the `planned` ones, along whose course the rate falls; the loss."""
    learner.begin(chosen)
    an_epoch = max(-(-len(chosen) // tuning.batch), 1)
    planned = max(planned, epochs)
    views = [view for example in chosen for view in learner.views[example]]
    descent = Descent(an_epoch * planned, min(tuning.batch, len(views)), seed, tuning.warmup)
    done = 0

    def looked() -> bool:
        nonlocal done
        done += 1
        return (look is not None and look()) or done >= epochs

    return descent.run(learner.optimizer(), views, learner.loss, step, looked, an_epoch)


def judge(
    learner: Learner,
    rival: Sequence[Output | None],
    numbers: Numbers,
    judged: int,
    tuning: Tuning,
    epochs: int,
    seed: int,
    step: Step,
    must: bool = False,
) -> Judged:
    """Leave out part after part, `judged` of them, given each example's part (examples,). `rival` are another model's
    honest outputs; where the first part says that they are better, no other is looked at unless it `must` be."""
    outcomes: list[list[tuple[list[int], list[Output]]]] = []
    length = epochs
    for part in range(judged):
        chosen, held = np.flatnonzero(numbers != part).tolist(), np.flatnonzero(numbers == part)
        asked = held[learner.fair(chosen, held.tolist())].tolist()
        course = _Course(learner, asked, tuning.patience if part == 0 else epochs)

        def told(share: float, loss: float, part: int = part) -> None:
            step((part + share) / judged, loss)

        fit(learner, chosen, tuning, length, seed, told, course.look, epochs)
        outcomes.append(course.answers)
        length = len(course.answers)
        if part == 0 and not must and not _hopeful(learner, rival, course.answers[course.best]):
            break
    best = min(range(length), key=lambda epoch: _surprise(learner, [part[epoch] for part in outcomes]))
    outputs: list[Output | None] = [None] * len(numbers)
    for part_answers in outcomes:
        for example, output in zip(*part_answers[best], strict=True):
            outputs[example] = output
    gain, pays = compared(learner.counts, rival, outputs, seed)
    return Judged(tuple(outputs), best + 1, gain, pays and len(outcomes) == judged)


class _Course:
    """What is answered after each epoch, until nothing has become better for a while."""

    def __init__(self, learner: Learner, asked: list[int], patience: int) -> None:
        self._learner = learner
        self._asked = asked
        self._patience = patience
        self._scores: list[float] = []
        self.answers: list[tuple[list[int], list[Output]]] = []

    @property
    def best(self) -> int:
        return int(np.argmin(self._scores))

    def look(self) -> bool:
        outputs = self._learner.answers(self._asked)
        self.answers.append((self._asked, outputs))
        self._scores.append(self._learner.surprise(outputs, self._asked))
        return len(self._scores) - 1 - self.best >= self._patience


def compared(
    counts: CountsOf, rival: Sequence[Output | None], own: Sequence[Output | None], seed: int
) -> tuple[float, bool]:
    """How much better `own` is, on examples that both have answered, and whether by more than chance gives: `CLEARLY`
    standard deviations over resampled examples (the simpler of equals is kept)."""
    both = [at for at in range(len(own)) if own[at] is not None and rival[at] is not None]
    if not both:
        return 0.0, False
    theirs, ours = (counts([one[at] for at in both], both) for one in (rival, own))  # type: ignore[misc]  # None is left out above
    gain = _f1(ours) - _f1(theirs)
    random = np.random.default_rng(seed)
    drawn = [random.integers(0, len(both), len(both)) for _ in range(RESAMPLES)]
    spread = float(np.std([_f1(ours[some]) - _f1(theirs[some]) for some in drawn]))
    return gain, gain > CLEARLY * spread


def _hopeful(learner: Learner, rival: Sequence[Output | None], answers: tuple[list[int], list[Output]]) -> bool:
    """Whether one part says that training more may pay."""
    own: list[Output | None] = [None] * len(rival)
    for example, output in zip(*answers, strict=True):
        own[example] = output
    return compared(learner.counts, rival, own, 0)[0] > 0


def _surprise(learner: Learner, answers: Sequence[tuple[list[int], list[Output]]]) -> float:
    asked = [example for examples, _ in answers for example in examples]
    outputs = [output for _, some in answers for output in some]
    return learner.surprise(outputs, asked)


def _f1(counts: Counts) -> float:
    right, answered, true = counts.sum(axis=0)
    return float(2 * right / max(answered + true, 1e-9))
