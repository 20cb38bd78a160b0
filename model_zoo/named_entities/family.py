"""Named entities from MiniLM's vectors of words, what words look like, and a chain of tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from model_zoo.base import UNWATCHED, Encoder, Family, Model, Progress, Trained, Watch
from model_zoo.distillation import Distillation
from model_zoo.errors import Cancelled, TrainingImpossible
from model_zoo.linear.folds import stratified
from model_zoo.named_entities import model
from model_zoo.named_entities.fitting import Hyperparameters, Sentence, fit_head, sentences
from model_zoo.named_entities.reading import Passage, Reader
from model_zoo.named_entities.soft import Soft
from model_zoo.named_entities.tags import tags_of
from model_zoo.named_entities.words import disjoint, read_whole, read_words
from model_zoo.recipes import Recipe
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.types import EntityExample, Example, LabelSpace, Output, TaskKind
from model_zoo.weights import Weights

Numbers = npt.NDArray[np.int64]


class MiniLMTagger(Family):
    """Frozen vectors, hashed word shapes and a linear-chain field over BIO tags. What was measured with it is in the
    README and in `tests/benchmarks/zoo_entities.py`.

    All examples are learnt anew each time, so that nothing older is forgotten; `warm_start` is not needed, for the
    problem is convex.
    """

    name: ClassVar[str] = "named_entities/minilm_tagger.v1"
    task: ClassVar[TaskKind] = TaskKind.NAMED_ENTITIES
    licence: ClassVar[str] = MiniLM.weights.licence
    weights: ClassVar[tuple[Weights, ...]] = (MiniLM.weights,)

    def encoder(self) -> Encoder | None:
        """None: a text's vectors are as many as it has words, and the reader keeps them."""
        return None

    def reader(self) -> Reader:
        """The process's, shared by all taggers."""
        network = self.runtime.encoder(MiniLM, self.weights_file)
        return self.runtime.shared((Reader, self.weights_file), lambda: Reader(network))

    def train(
        self,
        examples: Sequence[Example],
        labels: LabelSpace,
        recipe: Recipe,
        *,
        warm_start: Model | None = None,
        seed: int = 0,
        watch: Watch = UNWATCHED,
        taught: Distillation | None = None,
    ) -> Trained:
        """The seed decides the folds alone."""
        known = _checked(examples, labels)
        hyper = _settled(recipe)
        course = _Course(watch, hyper.iterations, min(hyper.folds, len(known)) if len(known) > 1 else 0)
        texts = [read_whole(example.item.input) for example in known]
        read = self.reader().read(texts, watch)
        watch.report(Progress(_Course.READ, f"{len(known)} texts are read"))
        given = [
            [part for passage in passages for part in _parts(passage, example, labels)]
            for example, passages in zip(known, read, strict=True)
        ]
        if not any(given):
            raise TrainingImpossible(f"Got {len(known)} texts without a word, wanted one at least; label another task.")
        soft = self._soft(taught, labels, watch) if taught and taught.items else None
        outputs = _cross_validate(known, texts, read, given, labels, hyper, seed, course, soft)
        head, loss = fit_head([part for parts in given for part in parts], len(labels), hyper, course.step, soft)
        trained = model.TaggerModel(self, labels, head)
        watch.report(Progress(1.0, f"trained on {len(known)} texts", loss))
        return Trained(trained, outputs, loss, asdict(hyper), _notes(known))

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
        return self.train(examples, labels, recipe, seed=seed, watch=watch, taught=taught)

    def _soft(self, taught: Distillation, labels: LabelSpace, watch: Watch) -> Soft | None:
        passages = self.reader().read([read_whole(item.input) for item in taught.items], watch)
        return Soft.of(taught, passages, len(labels)) if any(passages) else None

    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        return model.load(self, folder, labels)


class _Course:
    """Tells the watch how far a training is, and asks it whether to go on."""

    READ = 0.3
    """Share of the whole at which texts are read."""

    def __init__(self, watch: Watch, iterations: int, folds: int) -> None:
        self._watch = watch
        self._expected = (folds + 1) * iterations * 1.2
        self._done = 0

    def step(self, loss: float) -> None:
        if self._watch.cancelled():
            raise Cancelled("Training was stopped on request.")
        self._done += 1
        share = min(self._done / self._expected, 0.999)
        self._watch.report(Progress(self.READ + (0.999 - self.READ) * share, "fitting the tagger", loss))


def _cross_validate(
    examples: Sequence[EntityExample],
    texts: Sequence[str],
    read: Sequence[Sequence[Passage]],
    given: Sequence[Sequence[Sentence]],
    labels: LabelSpace,
    hyper: Hyperparameters,
    seed: int,
    course: _Course,
    soft: Soft | None = None,
) -> tuple[Output | None, ...]:
    """Each text's output by a tagger that has not seen it; None where all of the other texts were needed, or where it
    has a label that no other text has."""
    outputs: list[Output | None] = [None] * len(examples)
    folds = min(hyper.folds, len(examples))
    if folds < 2:
        return tuple(outputs)
    held = np.array([[any(s.label == name for s in example.spans) for name in labels.names] for example in examples])
    numbers = stratified(held, folds, seed)
    for fold in range(folds):
        inside = np.flatnonzero(numbers != fold)
        parts = [part for at in inside for part in given[at]]
        if not parts or not held[inside].any():
            continue
        taught = soft.leaving_out(np.flatnonzero(numbers == fold).tolist()) if soft else None
        head, _ = fit_head(parts, len(labels), hyper, course.step, taught)
        for at in np.flatnonzero(numbers == fold):
            if not (held[at] & ~held[inside].any(axis=0)).any():
                outputs[at] = model.output(head, texts[at], read[at], len(labels))
    return tuple(outputs)


def _parts(passage: Passage, example: EntityExample, labels: LabelSpace) -> list[Sentence]:
    return sentences(passage, tags_of(passage.words, example.spans, labels))


def _settled(recipe: Recipe) -> Hyperparameters:
    kinds = {field.name: type(field.default) for field in fields(Hyperparameters)}
    for name, value in recipe.overrides.items():
        if name not in kinds:
            raise TrainingImpossible(f"Got the hyperparameter {name!r}, wanted one of: {', '.join(sorted(kinds))}.")
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (kinds[name] is float and isinstance(value, float))) or value < (kinds[name] is int):  # type: ignore[operator]  # a number by then
            raise TrainingImpossible(
                f"Got {value!r} for the hyperparameter {name}, wanted a {kinds[name].__name__} that is not negative."
            )
    return replace(Hyperparameters(), **dict(recipe.overrides))  # type: ignore[arg-type]  # names and types are checked


def _checked(examples: Sequence[Example], labels: LabelSpace) -> list[EntityExample]:
    """Raises `TrainingImpossible`."""
    if not examples:
        raise TrainingImpossible("Got no example, wanted at least one; label a task first.")
    if not len(labels):
        raise TrainingImpossible("Got no label to find spans of, wanted at least one; add labels to the config.")
    checked = []
    for row, example in enumerate(examples):
        if not isinstance(example, EntityExample):
            raise TrainingImpossible(f"Example {row} is a {type(example).__name__}, wanted an EntityExample.")
        strange = sorted({span.label for span in example.spans} - set(labels.names))
        if strange:
            raise TrainingImpossible(f"Example {row} has spans of {strange}, wanted any of {list(labels.names)}.")
        checked.append(example)
    if not any(example.spans for example in checked):
        raise TrainingImpossible(f"Got {len(checked)} texts without any span, wanted at least one; mark one.")
    return checked


def _notes(examples: Sequence[EntityExample]) -> tuple[str, ...]:
    """What of the examples is not learnt as it was marked."""
    lost: Counter[str] = Counter()
    cut = 0
    for example in examples:
        kept = set(disjoint(example.spans))
        lost.update(span.label for span in example.spans if span not in kept)
        words = read_words(read_whole(example.item.input)) if kept else []
        within = {at for word in words for at in range(word.start + 1, word.end)}
        cut += sum(span.start in within or span.end in within for span in kept)
    notes = []
    if lost:
        named = ", ".join(f"{count} of {label}" for label, count in lost.most_common(5))
        notes.append(
            f"{sum(lost.values())} spans overlap longer ones and are not learnt ({named}): this model gives each "
            "character one label. Give nested labels a Labels control of their own."
        )
    if cut:
        notes.append(f"{cut} spans begin or end within a word; they are learnt, and will be proposed, as whole words.")
    return tuple(notes)
