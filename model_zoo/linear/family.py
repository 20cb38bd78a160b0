"""The base of families that train a linear head on a frozen encoder. A new one names its encoder and two numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Encoder, Family, Model, Progress, Trained, Watch
from model_zoo.distillation import Distillation
from model_zoo.errors import Cancelled, TrainingImpossible
from model_zoo.features import with_features
from model_zoo.linear import model
from model_zoo.linear.fit import Flags, Hyperparameters, Sample, fit_head, judgeable, rotate
from model_zoo.linear.folds import stratified
from model_zoo.linear.soft import soft_of
from model_zoo.recipes import Recipe
from model_zoo.types import (
    ClassificationExample,
    ClassificationOutput,
    Example,
    FloatArray,
    Item,
    LabelSpace,
    Output,
    stack_features,
)

MANY = 300
"""Examples from which on three folds do: they say as much as five, in half the time."""


class LinearFamily(Family):
    """Frozen features, whitened within labels, and logistic regression."""

    encoder_kind: ClassVar[type[Encoder]]
    defaults: ClassVar[Hyperparameters]

    def encoder(self) -> Encoder:
        return self.runtime.encoder(self.encoder_kind, self.weights_file)

    def anchors(self, labels: LabelSpace) -> FloatArray | None:
        """Features of the labels' names, of shape (labels, dimensions), where the encoder can read them."""
        return None

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
        """`warm_start` is not needed: the problem is convex. The seed decides the folds alone."""
        return self._of_frozen(examples, labels, recipe, None, seed, watch)

    def distil(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        taught: Distillation,
        *,
        seed: int = 0,
        watch: Watch = UNWATCHED,
    ) -> Trained:
        return self._of_frozen(examples, labels, recipe, taught if taught.items else None, seed, watch)

    def _of_frozen(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        taught: Distillation | None,
        seed: int,
        watch: Watch,
    ) -> Trained:
        """A head on the frozen features."""
        hyper = self._hyperparameters(recipe, len(examples))
        targets = _targets(examples, labels)
        items = self.with_features([example.item for example in examples], watch)
        names = self._useful_anchors(labels, len(examples), hyper)
        sample = Sample(
            stack_features(items).astype(np.float64),
            targets,
            names.astype(np.float64) if names is not None else None,
            labels.multiple,
            self.encoder_kind.dimensions,
            soft_of(taught, self.with_features(taught.items, watch), labels.multiple) if taught else None,
        )
        watch.report(Progress(0.0, f"features of {len(examples)} examples are ready"))
        sample, rotation = rotate(sample)
        out_of_fold = _cross_validate(sample, hyper, seed, watch)
        head, loss = fit_head(sample, hyper, lambda: _stop_if_cancelled(watch))
        watch.report(Progress(1.0, f"trained on {len(examples)} examples", loss))
        trained = model.LinearModel(self, labels, rotation.expand(head))
        return Trained(trained, out_of_fold, loss, asdict(hyper))

    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        return model.load(self, folder, labels)

    def with_features(self, items: Sequence[Item], watch: Watch = UNWATCHED) -> Sequence[Item]:
        """The same items, each with its features; only those without are encoded."""
        return with_features(self.encoder(), items, watch)

    def _hyperparameters(self, recipe: Recipe, count: int) -> Hyperparameters:
        known = {field.name for field in fields(Hyperparameters)}
        unknown = sorted(set(recipe.overrides) - known)
        if unknown:
            raise TrainingImpossible(
                f"Got the hyperparameter {unknown[0]!r}, wanted one of: {', '.join(sorted(known))}."
            )
        usual = replace(self.defaults, folds=3) if count > MANY else self.defaults
        return replace(usual, **dict(recipe.overrides))  # type: ignore[arg-type]  # names checked just above

    def _useful_anchors(self, labels: LabelSpace, count: int, hyper: Hyperparameters) -> FloatArray | None:
        """Names add nothing beyond some 16 examples a label; reading them means loading the encoder."""
        return self.anchors(labels) if hyper.anchor_weight > 0 and count < 16 * len(labels) else None


def _targets(examples: Sequence[Example], labels: LabelSpace) -> Flags:
    """Which labels apply, of shape (examples, labels). Raises `TrainingImpossible`."""
    if not examples:
        raise TrainingImpossible("Got no example, wanted at least one; label a task first.")
    index = {name: column for column, name in enumerate(labels.names)}
    targets = np.zeros((len(examples), len(labels)), np.bool_)
    for row, example in enumerate(examples):
        if not isinstance(example, ClassificationExample):
            raise TrainingImpossible(f"Example {row} is a {type(example).__name__}, wanted a ClassificationExample.")
        strange = example.labels - index.keys()
        if strange or (not labels.multiple and len(example.labels) != 1):
            raise TrainingImpossible(
                f"Example {row} has the labels {sorted(example.labels)}, wanted "
                f"{'any' if labels.multiple else 'exactly one'} of {list(labels.names)}."
            )
        targets[row, [index[name] for name in example.labels]] = True
    return targets


def _cross_validate(sample: Sample, hyper: Hyperparameters, seed: int, watch: Watch) -> tuple[Output | None, ...]:
    """Each item as predicted by a head that has not seen it; None where that head does not know its label."""
    count = len(sample.features)
    outputs: list[Output | None] = [None] * count
    folds = min(hyper.folds, count)
    if folds < 2:
        return tuple(outputs)
    numbers = stratified(sample.targets, folds, seed)
    for fold in range(folds):
        _stop_if_cancelled(watch)
        held_out = numbers == fold
        train = sample.part(~held_out)
        head, loss = fit_head(train, hyper, lambda: _stop_if_cancelled(watch))
        rows = head.probabilities(sample.features[held_out].astype(np.float32))
        possible = judgeable(train, sample.targets[held_out])
        for index, row, fair in zip(np.flatnonzero(held_out), rows, possible, strict=True):
            outputs[index] = ClassificationOutput(row) if fair else None
        watch.report(Progress((fold + 1) / (folds + 1), f"fold {fold + 1} of {folds} done", loss))
    return tuple(outputs)


def _stop_if_cancelled(watch: Watch) -> None:
    if watch.cancelled():
        raise Cancelled("Training was stopped on request.")
