"""The trained model of every family that classifies single regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model_zoo.base import Model
from model_zoo.types import ClassificationOutput, Item, Output, RegionItem, RegionOutput

if TYPE_CHECKING:
    from model_zoo.programs.program import Program
    from model_zoo.region_classification.family import RegionFamily


class RegionModel(Model):
    """A classifier that is shown regions. An item that asks about none gets an empty answer."""

    def __init__(self, owner: RegionFamily, classifier: Model) -> None:
        self.family = type(owner)
        self.labels = classifier.labels
        self.classifier = classifier
        self._owner = owner

    def predict(self, items: Sequence[Item]) -> list[Output]:
        regions = [item.regions if isinstance(item, RegionItem) else () for item in items]
        shown = [
            part for item, some in zip(items, regions, strict=True) for part in self._owner.shown(item.input, some)
        ]
        answers = self.classifier.predict(shown)
        rows = [answer.probabilities for answer in answers if isinstance(answer, ClassificationOutput)]
        table = np.stack(rows) if rows else np.empty((0, len(self.labels)), np.float32)
        parts = np.split(table, np.cumsum([len(some) for some in regions])[:-1]) if regions else []
        return [RegionOutput(some, part) for some, part in zip(regions, parts, strict=True)]

    def programs(self) -> tuple[Program, ...]:
        return self.classifier.programs()

    def save(self, folder: Path) -> None:
        self.classifier.save(folder)

    @property
    def nbytes(self) -> int:
        return self.classifier.nbytes
