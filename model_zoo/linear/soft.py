"""What a teacher says of items that nobody has labelled, as a linear head learns it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_zoo.distillation import Distillation, entropy, softened
from model_zoo.linear.logistic import Softly
from model_zoo.types import ClassificationOutput, Item, Output, stack_features

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SURE = 0.5
"""Probability that a teacher must give a label for some item, for a label that nobody has used to be learnt."""


@dataclass(frozen=True)
class Soft:
    """Features (items, r) and what the teacher says of them: probabilities (items, labels)."""

    features: Array
    probabilities: Array
    taught: Distillation
    multiple: bool

    @property
    def told(self) -> Flags:
        """The labels (labels,) that the teacher has found somewhere."""
        return np.asarray(self.probabilities.max(axis=0) >= SURE)

    def leaving_out(self, positions: Sequence[int]) -> Soft | None:
        """As of `Distillation`."""
        other = self.taught.leaving_out(positions)
        if other is None:
            return None
        if other is self.taught:
            return self
        return replace(self, probabilities=_rows(other.outputs))

    def rows(self, whiten: Callable[[Array], Array], labels: Flags, sharpness: float, prior: Array) -> Softly:
        """For a fit to these labels alone, whose scores are served `sharpness` times as large and with `prior`."""
        taught, given = self.taught, self.probabilities[:, labels]
        if not self.multiple:
            given = given / np.maximum(given.sum(axis=1, keepdims=True), 1e-12)
        targets = softened(given, taught.temperature, self.multiple)
        return Softly(
            whiten(self.features),
            targets,
            sharpness / taught.temperature,
            prior[labels] / taught.temperature,
            1 - taught.weight,
            taught.weight * taught.temperature**2,
            float(entropy(targets, self.multiple).mean()),
        )


def soft_of(taught: Distillation, items: Sequence[Item], multiple: bool) -> Soft:
    """From the items of a distillation, each with its features."""
    return Soft(stack_features(items).astype(np.float64), _rows(taught.outputs), taught, multiple)


def _rows(outputs: Sequence[Output]) -> Array:
    rows = [output.probabilities for output in outputs if isinstance(output, ClassificationOutput)]
    if len(rows) != len(outputs):
        raise TypeError(f"Got {len(outputs) - len(rows)} outputs that classify nothing, wanted ClassificationOutputs.")
    return np.stack(rows).astype(np.float64)
