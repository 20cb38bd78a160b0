"""Captions: Show-and-Tell on a frozen encoder, beside the captions of the images that look most alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from model_zoo.base import UNWATCHED, Encoder, Family, Model, Progress, Trained, Watch
from model_zoo.caption_metrics import cider
from model_zoo.captions import model
from model_zoo.captions.fitting import Hyperparameters, Pairs, fit_decoder
from model_zoo.captions.model import Retold, Told, Writer
from model_zoo.captions.nearest import Nearest, rounded
from model_zoo.captions.vocabulary import Vocabulary
from model_zoo.errors import Cancelled, TrainingImpossible
from model_zoo.features import with_features
from model_zoo.image_classification.efficientnet_lite0 import EfficientNetLite0Encoder
from model_zoo.recipes import Recipe
from model_zoo.types import (
    Caption,
    CaptionExample,
    CaptionOutput,
    Example,
    FloatArray,
    Item,
    LabelSpace,
    TaskKind,
    stack_features,
)
from model_zoo.weights import Weights

METHODS = ("auto", "nearest", "lstm")


@dataclass(frozen=True)
class _Sample:
    """Features (images, dimensions) with the captions of each image."""

    features: FloatArray
    captions: tuple[tuple[Caption, ...], ...]

    def part(self, chosen: npt.NDArray[np.bool_]) -> _Sample:
        return _Sample(self.features[chosen], tuple(self.captions[at] for at in np.flatnonzero(chosen)))


class ShowAndTell(Family):
    """Which of the two writes is decided by images that neither has seen."""

    name: ClassVar[str] = "captions/show_and_tell.v1"
    task: ClassVar[TaskKind] = TaskKind.CAPTIONS
    licence: ClassVar[str] = EfficientNetLite0Encoder.weights.licence
    weights: ClassVar[tuple[Weights, ...]] = (EfficientNetLite0Encoder.weights,)

    def encoder(self) -> Encoder:
        return self.runtime.encoder(EfficientNetLite0Encoder, self.weights_file)

    def with_features(self, items: Sequence[Item], watch: Watch = UNWATCHED) -> Sequence[Item]:
        """The same items, each with its features."""
        return with_features(self.encoder(), items, watch)

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
        """`warm_start` is left out: a few hundred captions are learnt in seconds, and words come and go."""
        hyper = _hyperparameters(recipe)
        captions = _captions(examples)
        items = self.with_features([example.item for example in examples], watch)
        sample = _Sample(stack_features(items), captions)
        watch.report(Progress(0.0, f"features of {len(examples)} images are ready"))
        return _Training(self, sample, labels, hyper, seed, watch).run()

    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        return model.load(self, folder, labels)


class _Training:
    """One training, with how far it is."""

    def __init__(
        self, owner: ShowAndTell, sample: _Sample, labels: LabelSpace, hyper: Hyperparameters, seed: int, watch: Watch
    ) -> None:
        self._owner = owner
        self._sample = sample
        self._labels = labels
        self._hyper = hyper
        self._seed = seed
        self._watch = watch

    def run(self) -> Trained:
        count, hyper = len(self._sample.captions), self._hyper
        wanted = METHODS[1:] if count >= hyper.least else METHODS[1:2]
        methods = wanted if hyper.method == "auto" else (hyper.method,)
        tried = [self._cross_validate(method, at / len(methods), 1 / len(methods)) for at, method in enumerate(methods)]
        scores = [self._scores(outputs) for outputs in tried]
        best = 1 if len(methods) > 1 and _clearly_better(scores[1], scores[0]) else 0
        writer, loss = self._fit(methods[best], self._sample)
        self._watch.report(Progress(1.0, f"learnt the captions of {count} images", loss))
        figures = {f"cider_{method}": float(each.mean()) for method, each in zip(methods, scores, strict=True)}
        used = {**asdict(hyper), "method": methods[best], **figures}
        return Trained(model.CaptionModel(self._owner, self._labels, writer), tried[best], loss, used)

    def _cross_validate(self, method: str, start: float, share: float) -> tuple[CaptionOutput | None, ...]:
        """Each image's captions by a writer that has not seen it."""
        count = len(self._sample.captions)
        folds = min(self._hyper.folds, count)
        outputs: list[CaptionOutput | None] = [None] * count
        if folds < 2:
            return tuple(outputs)
        numbers = np.random.default_rng(self._seed).permutation(count) % folds
        for fold in range(folds):
            held = numbers == fold
            writer, loss = self._fit(method, self._sample.part(~held))
            for at in np.flatnonzero(held):
                outputs[at] = model.output(writer, self._sample.features[at])
            done = (start + share * (fold + 1) / folds) * folds / (folds + 1)
            self._watch.report(Progress(done, f"{method}: fold {fold + 1} of {folds} done", loss))
        return tuple(outputs)

    def _fit(self, method: str, sample: _Sample) -> tuple[Writer, float]:
        """A writer, and its loss: a word's, or 0 for what learns by keeping."""
        self._stop_if_cancelled()
        if method == "nearest":
            return Retold(Nearest(rounded(sample.features), sample.captions)), 0.0
        vocabulary = Vocabulary.of(text for several in sample.captions for text in several)
        pairs = Pairs.of(sample.features, sample.captions)
        decoder, loss = fit_decoder(pairs, vocabulary, self._hyper, self._seed, self._stop_if_cancelled)
        return Told(decoder, vocabulary), loss

    def _scores(self, outputs: Sequence[CaptionOutput | None]) -> FloatArray:
        """CIDEr-D of each image's first caption. Not the F1 of words, which "a on of" wins."""
        first = [found.captions[0] if found and found.captions else "" for found in outputs]
        return cider(first, self._sample.captions)

    def _stop_if_cancelled(self) -> None:
        if self._watch.cancelled():
            raise Cancelled("Training was stopped on request.")


def _clearly_better(one: FloatArray, other: FloatArray) -> bool:
    """Better on average by more than a standard error, on the same images: the simpler of equals is kept."""
    difference = (one - other).astype(np.float64)
    return bool(difference.mean() > difference.std() / np.sqrt(len(difference)))


def _hyperparameters(recipe: Recipe) -> Hyperparameters:
    known = {field.name: field for field in fields(Hyperparameters)}
    unknown = sorted(set(recipe.overrides) - known.keys())
    if unknown:
        raise TrainingImpossible(f"Got the hyperparameter {unknown[0]!r}, wanted one of: {', '.join(sorted(known))}.")
    hyper = replace(Hyperparameters(), **dict(recipe.overrides))  # type: ignore[arg-type]  # names checked just above
    if hyper.method not in METHODS:
        raise TrainingImpossible(f"Got the method {hyper.method!r}, wanted one of: {', '.join(METHODS)}.")
    for name in ("hidden", "embedded", "epochs", "batch", "learning_rate"):
        value = getattr(hyper, name)
        if isinstance(value, str) or not value > 0:
            raise TrainingImpossible(f"Got {name} {value!r}, wanted a number above 0.")
    return hyper


def _captions(examples: Sequence[Example]) -> tuple[tuple[Caption, ...], ...]:
    """Each example's captions. Raises `TrainingImpossible`."""
    if not examples:
        raise TrainingImpossible("Got no example, wanted at least one; write a caption first.")
    found = []
    for row, example in enumerate(examples):
        if not isinstance(example, CaptionExample):
            raise TrainingImpossible(f"Example {row} is a {type(example).__name__}, wanted a CaptionExample.")
        texts = tuple(text for text in example.captions.texts if text.strip())
        if not texts:
            raise TrainingImpossible(f"Example {row} has no caption, wanted at least one that is no blank.")
        found.append(texts)
    return tuple(found)
