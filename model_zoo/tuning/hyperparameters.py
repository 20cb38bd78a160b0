"""How an encoder is trained further: what people may override, and how much of it a number of examples asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from model_zoo.errors import TrainingImpossible
from model_zoo.recipes import Recipe
from model_zoo.types import Input

MICRO, FEW_SHOT, FINE_TUNE = "micro", "few_shot", "fine_tune"
RECIPES = (MICRO, FEW_SHOT, FINE_TUNE)
USUAL, LONGEST = 60, 600
"""Characters of a text: such as `Cost` speaks of, and as training reads at most."""
LEAST = 10
"""Examples without which no larger recipe is tried, though it be demanded."""
GROWTH = 1.5
"""How many times as many examples there must be before a larger recipe is tried again."""


@dataclass(frozen=True)
class Cost:
    """Seconds of one core that a view takes in the frozen part, and in a step of the part that learns. Measured once;
    what a machine really takes must not decide what is learnt."""

    below: float
    above: float

    def times(self, size: float) -> Cost:
        return Cost(self.below * size, self.above * size)


@dataclass(frozen=True)
class Tuning:
    """`seconds` are those of one core that trying and training larger recipes may take, 0 for never; `least` is the
    number of examples from which on they are tried: `few_shot` from there, `fine_tune` from three times as many.
    `learning_rate` is that of pretrained layers, `head_rate` that of the head; `epochs` are at most so many, and end
    after `patience` of them without gain; `views` counts the variants of each image, 0 leaves that to the family;
    `parts` are those that the examples are split into, each of which judges what the others teach."""

    seconds: float = 120.0
    least: int = 200
    epochs: int = 8
    batch: int = 16
    learning_rate: float = 1e-3
    head_rate: float = 1e-2
    weight_decay: float = 1e-2
    warmup: float = 0.1
    patience: int = 2
    views: int = 0
    parts: int = 3


_LEAST: Mapping[str, float] = {"batch": 1, "epochs": 1, "parts": 2}


def names() -> set[str]:
    return {field.name for field in fields(Tuning)}


def settle(recipe: Recipe, usual: Tuning, others: Sequence[str] = ()) -> Tuning:
    """`usual` with the recipe's overrides; `others` are names of hyperparameters that are not these.

    Raises `TrainingImpossible` for a recipe or an override that is unknown or makes no sense.
    """
    if recipe.name not in RECIPES:
        raise TrainingImpossible(f"Got the recipe {recipe.name!r}, wanted one of: {', '.join(RECIPES)}.")
    wishes: dict[str, Any] = {}
    for name, value in recipe.overrides.items():
        if name in others:
            continue
        if name not in names():
            known = sorted({*others, *names()})
            raise TrainingImpossible(f"Got the hyperparameter {name!r}, wanted one of: {', '.join(known)}.")
        whole = isinstance(getattr(usual, name), int)
        right = isinstance(value, int) or (isinstance(value, float) and not whole)
        if isinstance(value, bool) or not right or value < _LEAST.get(name, 0):  # type: ignore[operator]  # a number
            raise TrainingImpossible(
                f"Got {value!r} for {name}, wanted a{' whole' if whole else ''} number from {_LEAST.get(name, 0)} on."
            )
        wishes[name] = value
    return replace(usual, **wishes)


def rungs(recipe: Recipe, tuning: Tuning, count: int, labels: int, tried: int) -> tuple[str, ...]:
    """The larger recipes to try with so many examples of so many labels, the smaller first; `tried` is the number of
    examples with which they were last."""
    if recipe.name != MICRO:
        return (recipe.name,) if count >= GROWTH * tried else ()
    if tuning.seconds <= 0 or count < GROWTH * tried:
        return ()
    enough = count >= max(tuning.least, 8 * labels)
    return (FEW_SHOT, FINE_TUNE)[: 2 if count >= 3 * tuning.least else 1] if enough else ()


def affordable(tuning: Tuning, cost: Cost, count: int, views: int, judged: int) -> int:
    """Epochs that fit into the seconds: of `judged` of the parts in turn, and then of all examples."""
    left = tuning.seconds - count * views * cost.below
    rounds = judged * (tuning.parts - 1) / tuning.parts + 1
    return min(tuning.epochs, int(left / (count * cost.above * rounds)))


def size_of(inputs: Sequence[Input]) -> float:
    """How much larger than usual inputs are on the whole: texts than `USUAL` characters; images are all of a size."""
    lengths = [min(len(value), LONGEST) / USUAL if isinstance(value, str) else 1.0 for value in inputs]
    return sum(lengths) / max(len(lengths), 1)
