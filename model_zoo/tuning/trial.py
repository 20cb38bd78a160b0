"""Trying larger recipes one after the other: each is kept only where it is clearly better than the one below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model_zoo.tuning.climb import Judged, Learner, Numbers, Outputs, fit, judge
from model_zoo.tuning.effort import Check, Effort, TooSlow
from model_zoo.tuning.hyperparameters import Cost, Tuning, affordable

MANY = 600
"""Examples from which on one part judges for all."""
LEAST_EPOCHS = 3
"""Fewer teach a network nothing."""
MOST_VIEWS, VIEWS = 4, 2400
"""Of one input, and of all together: what is kept of an image takes 44 kB."""

MORE = "The hyperparameter `seconds` allows more."

Make = Callable[[str, Tuning, int, Check], Learner]
"""A learner for a recipe, with so many views of each example."""


@dataclass(frozen=True)
class Won:
    """The learner as it is after training on all examples by a recipe; outputs for those that were left out, what it
    was trained with, and how much better it is."""

    learner: Learner
    recipe: str
    outputs: Outputs
    tuning: Tuning
    loss: float
    gain: float


@dataclass(frozen=True)
class _Found:
    recipe: str
    learner: Learner
    judged: Judged
    tuning: Tuning
    epochs: int


@dataclass(frozen=True)
class Trial:
    """`numbers` are the examples' parts, `rival` is what micro says of examples left out. `size` is how much larger an
    example is than one that costs what `costs` say. What is demanded is asked neither for its worth nor its cost."""

    make: Make
    numbers: Numbers
    rival: Outputs
    tuning: Tuning
    costs: Mapping[str, Cost]
    size: float
    demanded: bool
    seed: int

    def run(self, rungs: Sequence[str], effort: Effort) -> tuple[Won | None, tuple[str, ...]]:
        """The best that larger recipes make, None where none is better than micro; and sentences for people."""
        try:
            best, notes = self._climb(rungs, effort)
            return (None if best is None else self._finished(best, effort)), notes
        except TooSlow:
            said = f"was given up: it took {self.tuning.seconds:.0f} seconds of a processor several times over."
            return None, (f"Training more of the network {said} {MORE}",)

    def _climb(self, rungs: Sequence[str], effort: Effort) -> tuple[_Found | None, tuple[str, ...]]:
        count, parts = len(self.numbers), int(self.numbers.max()) + 1
        judging = parts if count < MANY else 1
        views = self.tuning.views or int(np.clip(VIEWS // count, 1, MOST_VIEWS))
        tuning, rival, best = replace(self.tuning, parts=parts), self.rival, None
        for recipe in rungs:
            cost = self.costs[recipe].times(self.size)
            epochs = tuning.epochs if self.demanded else affordable(tuning, cost, count, views, judging)
            if epochs < LEAST_EPOCHS and not self.demanded:
                said = f"{recipe} was not tried: it would take more than {self.tuning.seconds:.0f} seconds."
                return best, (f"{said} {MORE}",)
            learner = self.make(recipe, tuning, views, effort.check)
            step = effort.part(0.7, f"trying {recipe}")
            judged = judge(learner, rival, self.numbers, judging, tuning, epochs, self.seed, step, self.demanded)
            if not judged.pays and not self.demanded:
                break
            best, rival = _Found(recipe, learner, judged, tuning, epochs), judged.outputs
            spent = count * (views * cost.below + epochs * cost.above * (judging * (parts - 1) / parts + 1))
            tuning = replace(tuning, seconds=tuning.seconds - spent)
        return best, ()

    def _finished(self, best: _Found, effort: Effort) -> Won:
        every, epochs = range(len(self.numbers)), best.judged.epochs
        step = effort.part(1.0, f"training by {best.recipe}")
        loss = fit(best.learner, every, best.tuning, epochs, self.seed, step, planned=best.epochs)
        used = replace(self.tuning, epochs=epochs)
        return Won(best.learner, best.recipe, best.judged.outputs, used, loss, best.judged.gain)
