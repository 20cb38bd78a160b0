"""The base of families that train a linear head on a frozen encoder. A new one names its encoder and two numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Encoder, Family, Model, Progress, Trained, Watch
from model_zoo.distillation import Distillation
from model_zoo.errors import Cancelled, CheckpointError, TrainingImpossible
from model_zoo.features import features_of, with_features
from model_zoo.linear import model
from model_zoo.linear.fit import Flags, Hyperparameters, Sample, fit_head, judgeable, rotate
from model_zoo.linear.folds import stratified
from model_zoo.linear.head import LinearHead
from model_zoo.linear.learner import HeadLearner, counts, table
from model_zoo.linear.soft import soft_of
from model_zoo.recipes import Hyperparameter, Recipe
from model_zoo.tuning.climb import Counts, compared
from model_zoo.tuning.effort import Check, Effort, beginning
from model_zoo.tuning.encoder import Tensors, TunableEncoder
from model_zoo.tuning.honest import Honest, Past, keys_of
from model_zoo.tuning.hyperparameters import LEAST, MICRO, Tuning, rungs, settle, size_of
from model_zoo.tuning.trial import Trial
from model_zoo.types import (
    ClassificationExample,
    ClassificationOutput,
    Example,
    FloatArray,
    Input,
    Item,
    LabelSpace,
    Output,
    stack_features,
)

MICRO_SHARE = 0.1
"""Of a training that tries larger recipes, what comes before that."""
MANY = 300
"""Examples from which on three folds do: they say as much as five, in half the time."""


class LinearFamily(Family):
    """Frozen features, whitened within labels, and logistic regression; an encoder of the model's own where there are
    enough labels, and labels left out say that it is better."""

    encoder_kind: ClassVar[type[Encoder]]
    defaults: ClassVar[Hyperparameters]

    def encoder(self) -> Encoder:
        return self.runtime.encoder(self.encoder_kind, self.weights_file)

    def anchors(self, labels: LabelSpace) -> FloatArray | None:
        """Features of the labels' names, of shape (labels, dimensions), where the encoder can read them."""
        return None

    def wants_inputs(self, count: int, labels: LabelSpace, recipe: Recipe, before: Model | None) -> bool:
        return bool(self._rungs(self._tuning(recipe), count, labels, recipe, before))

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
        """A head alone needs no warm start: the problem is convex, and the seed decides the folds alone. An encoder
        that `warm_start` has trained for itself is kept until there are clearly more examples, with a head for all of
        them, old and new."""
        return self._learn(examples, labels, recipe, warm_start, None, seed, watch)

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
        return self._learn(examples, labels, recipe, None, taught if taught.items else None, seed, watch)

    def _learn(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        warm_start: Model | None,
        taught: Distillation | None,
        seed: int,
        watch: Watch,
    ) -> Trained:
        """From people alone, or from a teacher, too."""
        hyper = self._hyperparameters(recipe, len(examples))
        rungs = self._rungs(self._tuning(recipe), len(examples), labels, recipe, warm_start)
        targets = _targets(examples, labels)
        inputs = [example.item.input for example in examples if example.item.input is not None]
        if len(inputs) < len(examples) or taught:  # a teacher's answers are learnt by a head alone
            rungs = ()
        kept = _kept(warm_start, labels) if not rungs and not taught else None
        first = beginning(watch, MICRO_SHARE) if rungs or kept else watch
        items = self.with_features([example.item for example in examples], beginning(first, 0.0))
        names = self._useful_anchors(labels, len(examples), hyper)
        sample = Sample(
            stack_features(items).astype(np.float64),
            targets,
            names.astype(np.float64) if names is not None else None,
            labels.multiple,
            self.encoder_kind.dimensions,
            soft_of(taught, self.with_features(taught.items, first), labels.multiple) if taught else None,
        )
        first.report(Progress(0.0, f"features of {len(examples)} examples are ready"))
        head, outputs, loss = _micro(sample, hyper, seed, first)
        past = Past(tried=_past(warm_start, labels).tried)
        micro = _Made(model.LinearModel(self, labels, head, past=past), outputs, loss, asdict(hyper))
        made = micro
        encoder = self.encoder()
        if rungs and isinstance(encoder, TunableEncoder):
            made = self._larger(micro, encoder, inputs, sample, recipe, rungs, seed, watch)
        elif kept is not None:
            made = self._kept_on(micro, kept, items, sample, recipe, seed, watch)
        watch.report(Progress(1.0, f"trained on {len(examples)} examples", made.loss))
        return Trained(made.model, made.outputs, made.loss, dict(made.hyperparameters), made.notes)

    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        return model.load(self, folder, labels)

    def with_features(self, items: Sequence[Item], watch: Watch = UNWATCHED) -> Sequence[Item]:
        """The same items, each with its features; only those without are encoded."""
        return with_features(self.encoder(), items, watch)

    def own(self, tensors: Tensors) -> TunableEncoder:
        """The encoder with tensors of a model's own; versions that share them share it, and what is compiled of it.
        Raises `CheckpointError` where the encoder has none of its own."""
        encoder = self.encoder()
        if not isinstance(encoder, TunableEncoder):
            raise CheckpointError(f"Got a trained encoder, which {encoder.name} is not made for; train again.")
        made = encoder.tuned(tensors)
        return self.runtime.while_used(made.name, made)

    def _larger(
        self,
        micro: _Made,
        encoder: TunableEncoder,
        inputs: Sequence[Input],
        sample: Sample,
        recipe: Recipe,
        rungs: Sequence[str],
        seed: int,
        watch: Watch,
    ) -> _Made:
        """What larger recipes make, where they are better; else micro, which remembers that they were tried."""
        hyper, tuning = self._hyperparameters(recipe, len(inputs)), self._tuning(recipe)

        def make(rung: str, tuning: Tuning, views: int, check: Check) -> HeadLearner:
            return HeadLearner(encoder.body(rung), inputs, sample, hyper, tuning, views, seed, check)

        demanded, count, labels = recipe.name != MICRO, len(inputs), micro.model.labels
        numbers = stratified(sample.targets, min(tuning.parts, count), seed)
        trial = Trial(make, numbers, micro.outputs, tuning, encoder.costs, size_of(inputs), demanded, seed)
        won, notes = trial.run(rungs, Effort(watch, MICRO_SHARE, None if demanded else tuning.seconds))
        if won is None or not isinstance(won.learner, HeadLearner):
            known = model.LinearModel(self, labels, micro.model.head, past=Past(tried=count))
            return replace(micro, model=known, hyperparameters={**micro.hyperparameters, "tried": count}, notes=notes)
        rows = [one.probabilities[None] if isinstance(one, ClassificationOutput) else None for one in won.outputs]
        honest = Honest(dict(zip(_keys(sample.features.astype(np.float32)), rows, strict=True)))
        own = self.own(won.learner.body.settle())
        found = {"name": won.recipe, "tried": count, "gain": round(won.gain, 4)}
        used = {**micro.hyperparameters, **asdict(won.tuning), **found}
        past = Past(won.recipe, count, honest)
        larger = model.LinearModel(self, labels, won.learner.head(), own, past)
        return _Made(larger, won.outputs, won.loss, used, notes)

    def _kept_on(
        self,
        micro: _Made,
        kept: model.LinearModel,
        items: Sequence[Item],
        sample: Sample,
        recipe: Recipe,
        seed: int,
        watch: Watch,
    ) -> _Made:
        """A new head on the encoder that `kept` has trained, unless micro is better by now."""
        own = kept.own_encoder()
        if own is None or any(item.input is None and own.name not in item.others for item in items):
            return micro
        rows = features_of(own, items, watch)
        seen = Sample(rows.astype(np.float64), sample.targets, None, sample.multiple, sample.dimensions)
        hyper = self._hyperparameters(recipe, len(items))
        head, fresh, loss = _micro(seen, hyper, seed, Watch(cancelled=watch.cancelled))
        keys = _keys(sample.features.astype(np.float32))
        known = kept.past.honest.rows
        outputs = tuple(
            output if key not in known else _output(known[key]) for key, output in zip(keys, fresh, strict=True)
        )

        def told(answers: Sequence[Output], chosen: Sequence[int]) -> Counts:
            return counts(table(answers), sample.targets[list(chosen)], sample.multiple)

        gain, _ = compared(told, micro.outputs, outputs, seed)
        if gain < 0 and recipe.name == MICRO:
            return micro
        past = kept.past
        used = {**micro.hyperparameters, "name": past.recipe, "tried": past.tried, "gain": round(gain, 4)}
        larger = model.LinearModel(self, micro.model.labels, head, own, past)
        return _Made(larger, outputs, loss, used)

    def _tuning(self, recipe: Recipe) -> Tuning:
        kind = self.encoder_kind
        tunable = issubclass(kind, TunableEncoder)
        usual = kind.usual if issubclass(kind, TunableEncoder) else Tuning()
        tuning = settle(recipe, usual, [field.name for field in fields(Hyperparameters)])
        if recipe.name != MICRO and not tunable:
            raise TrainingImpossible(
                f"Got the recipe {recipe.name!r}, wanted micro: {self.name} has an encoder that stays as it is."
            )
        return tuning

    def _rungs(
        self, tuning: Tuning, count: int, labels: LabelSpace, recipe: Recipe, before: Model | None
    ) -> tuple[str, ...]:
        if not issubclass(self.encoder_kind, TunableEncoder) or count < LEAST:
            return ()
        return rungs(recipe, tuning, count, len(labels), _past(before, labels).tried_with(recipe))

    def _hyperparameters(self, recipe: Recipe, count: int) -> Hyperparameters:
        known = {field.name for field in fields(Hyperparameters)}
        usual = replace(self.defaults, folds=3) if count > MANY else self.defaults
        return replace(usual, **{name: value for name, value in recipe.overrides.items() if name in known})  # type: ignore[arg-type]  # as its fields are named

    def _useful_anchors(self, labels: LabelSpace, count: int, hyper: Hyperparameters) -> FloatArray | None:
        """Names add nothing beyond some 16 examples a label; reading them means loading the encoder."""
        return self.anchors(labels) if hyper.anchor_weight > 0 and count < 16 * len(labels) else None


@dataclass(frozen=True)
class _Made:
    """A model, and what is to be said of it."""

    model: model.LinearModel
    outputs: tuple[Output | None, ...]
    loss: float
    hyperparameters: Mapping[str, Hyperparameter]
    notes: tuple[str, ...] = ()


def _micro(
    sample: Sample, hyper: Hyperparameters, seed: int, watch: Watch
) -> tuple[LinearHead, tuple[Output | None, ...], float]:
    """A head, what heads that have not seen them say of the examples, and the loss."""
    turned, rotation = rotate(sample)
    out_of_fold = _cross_validate(turned, hyper, seed, watch)
    head, loss = fit_head(turned, hyper, lambda: _stop_if_cancelled(watch))
    return rotation.expand(head), out_of_fold, loss


def _past(before: Model | None, labels: LabelSpace) -> Past:
    """What the model before says of its training, which other labels make worthless."""
    return before.past if isinstance(before, model.LinearModel) and _alike(before.labels, labels) else Past()


def _kept(before: Model | None, labels: LabelSpace) -> model.LinearModel | None:
    """The model whose encoder is worth keeping."""
    if isinstance(before, model.LinearModel) and before.own_encoder() and _alike(before.labels, labels):
        return before
    return None


def _alike(one: LabelSpace, other: LabelSpace) -> bool:
    return (one.names, one.multiple) == (other.names, other.multiple)


def _keys(features: FloatArray) -> list[bytes]:
    return keys_of([row.tobytes() for row in features])


def _output(row: FloatArray | None) -> Output | None:
    return None if row is None else ClassificationOutput(row[0])


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
