"""Families that say what holds of single regions: a classifier, shown each region by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Encoder, Family, Model, Trained, Watch
from model_zoo.errors import Cancelled, TrainingImpossible
from model_zoo.image_classification.efficientnet_lite0_linear import EfficientNetLite0Linear
from model_zoo.linear.family import LinearFamily
from model_zoo.recipes import Recipe
from model_zoo.region_classification.crops import crops
from model_zoo.region_classification.model import RegionModel
from model_zoo.targets import all_of
from model_zoo.types import (
    Box,
    ClassificationExample,
    ClassificationOutput,
    Example,
    Input,
    Item,
    LabelSpace,
    Output,
    Places,
    RegionOutput,
    RemarkExample,
    TaskKind,
)
from model_zoo.weights import Weights


class RegionFamily(Family):
    """A new one names its classifier of whole items, and says what that is shown of a region."""

    classifier: ClassVar[type[LinearFamily]]

    @abstractmethod
    def shown(self, source: Input | None, regions: Places) -> list[Item]:
        """What the classifier is shown of each region of an item. Raises `UnreadableInput`."""

    def encoder(self) -> Encoder | None:
        """None for the item as a whole, whose features say nothing of a region."""
        return None

    def behind(self) -> LinearFamily:
        """The classifier of whole items."""
        return self.classifier(self.runtime, self.weights_file)

    def train(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        *,
        warm_start: Model | None = None,
        seed: int = 0,
        watch: Watch = UNWATCHED,
    ) -> Trained:
        shown: list[ClassificationExample] = []
        owners: list[int] = []
        for row, example in enumerate(examples):
            if not isinstance(example, RemarkExample):
                raise TrainingImpossible(f"Example {row} is a {type(example).__name__}, wanted a RemarkExample.")
            if watch.cancelled():
                raise Cancelled("Training was stopped on request.")
            items = self.shown(example.item.input, tuple(remark.place for remark in example.remarks))
            for item, remark in zip(items, example.remarks, strict=True):
                shown.append(ClassificationExample(item, frozenset(remark.labels)))
                owners.append(row)
        if not shown:
            raise TrainingImpossible("Got no region, wanted at least one; say of one what holds.")
        before = warm_start.classifier if isinstance(warm_start, RegionModel) else None
        trained = self.behind().train(shown, labels, recipe, warm_start=before, seed=seed, watch=watch)
        outputs = [
            _joined(example, [one for one, owner in zip(trained.out_of_fold, owners, strict=True) if owner == row])
            for row, example in enumerate(examples)
            if isinstance(example, RemarkExample)
        ]
        model = RegionModel(self, trained.model)
        return Trained(model, tuple(outputs), trained.loss, trained.hyperparameters, trained.notes)

    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        return RegionModel(self, self.behind().load(folder, labels))


class RegionLinearV1(RegionFamily):
    """Whitened features of each region's crop and logistic regression, as of whole images."""

    name: ClassVar[str] = "region_classification/efficientnet_lite0_linear.v1"
    task: ClassVar[TaskKind] = TaskKind.REGION_CLASSIFICATION
    licence: ClassVar[str] = EfficientNetLite0Linear.licence
    weights: ClassVar[tuple[Weights, ...]] = EfficientNetLite0Linear.weights
    classifier: ClassVar[type[LinearFamily]] = EfficientNetLite0Linear

    def shown(self, source: Input | None, regions: Places) -> list[Item]:
        return crops(source, all_of(Box, regions))


def _joined(example: RemarkExample, rows: Sequence[Output | None]) -> Output | None:
    """The output for an item from those for its regions; None unless all of these could be judged."""
    known = [one.probabilities for one in rows if isinstance(one, ClassificationOutput)]
    if not known or len(known) < len(rows):
        return None
    return RegionOutput(tuple(remark.place for remark in example.remarks), np.stack(known))
