"""Named entities from MiniLM's vectors of words, what words look like, and a chain of tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import ClassVar

from model_zoo.base import UNWATCHED, Encoder, Family, Model, Progress, Trained, Watch
from model_zoo.distillation import Distillation
from model_zoo.errors import TrainingImpossible
from model_zoo.named_entities import model
from model_zoo.named_entities.fitting import Hyperparameters
from model_zoo.named_entities.learner import TaggerLearner
from model_zoo.named_entities.lesson import Lesson
from model_zoo.named_entities.reading import KEPT_OWN, Reader
from model_zoo.named_entities.soft import Soft
from model_zoo.named_entities.words import disjoint, read_whole, read_words
from model_zoo.recipes import Hyperparameter, Recipe
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.tuning.climb import compared
from model_zoo.tuning.effort import Effort, beginning, later
from model_zoo.tuning.encoder import Tensors
from model_zoo.tuning.honest import Past
from model_zoo.tuning.hyperparameters import LEAST, MICRO, Tuning, settle
from model_zoo.tuning.hyperparameters import rungs as rungs_of
from model_zoo.types import EntityExample, Example, LabelSpace, TaskKind
from model_zoo.weights import Weights

MICRO_SHARE = 0.2
"""Of a training that tries larger recipes, what comes before that."""


class MiniLMTagger(Family):
    """Frozen vectors, hashed word shapes and a linear-chain field over BIO tags; a reader of its own where there are
    enough texts, and texts left out say that it is better. What was measured with it is in the README and in
    `tests/benchmarks/zoo_entities.py`.

    All examples are learnt anew each time, so that nothing older is forgotten: the problem of the head is convex. A
    reader that `warm_start` has trained for itself is kept until there are clearly more texts.
    """

    name: ClassVar[str] = "named_entities/minilm_tagger.v1"
    task: ClassVar[TaskKind] = TaskKind.NAMED_ENTITIES
    licence: ClassVar[str] = MiniLM.weights.licence
    weights: ClassVar[tuple[Weights, ...]] = (MiniLM.weights,)
    tuning: ClassVar[Tuning] = Tuning(learning_rate=1e-4, head_rate=1e-3, batch=16)

    def encoder(self) -> Encoder | None:
        """None: a text's vectors are as many as it has words, and the reader keeps them."""
        return None

    def reader(self) -> Reader:
        """The process's, shared by all taggers."""
        network = self.runtime.encoder(MiniLM, self.weights_file)
        return self.runtime.shared((Reader, self.weights_file), lambda: Reader(network))

    def reader_with(self, tensors: Tensors) -> Reader:
        """A reader with tensors of a model's own, shared by the versions that have them."""
        made = Reader(self.reader().network.tuned(tensors), KEPT_OWN)
        return self.runtime.while_used(made.name, made)

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
        """The seed decides the folds, and of larger recipes the order of texts."""
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
        known = _checked(examples, labels)
        hyper = settled(recipe)
        tuning = settle(recipe, self.tuning, [field.name for field in fields(Hyperparameters)])
        past, own = _past(warm_start, labels)
        rungs = rungs_of(recipe, tuning, len(known), len(labels), past.tried_with(recipe))
        if len(known) < LEAST or taught:  # a teacher's answers are learnt by a head alone
            rungs = ()
        texts = [read_whole(example.item.input) for example in known]
        first = beginning(watch, MICRO_SHARE) if rungs or own else watch
        soft = self._soft(taught, labels, first) if taught else None
        lesson = Lesson(known, texts, labels, hyper, tuning, seed, soft)
        head, loss, outputs = lesson.micro(self.reader(), first)
        used: dict[str, Hyperparameter] = asdict(hyper)
        notes = _notes(known)
        made = model.TaggerModel(self, labels, head, None, Past(tried=past.tried))
        if rungs:
            demanded = recipe.name != MICRO
            effort = Effort(watch, MICRO_SHARE, None if demanded else tuning.seconds)
            won, said = lesson.trial(self.reader(), outputs, demanded).run(rungs, effort)
            notes = (*notes, *said)
            used |= {"tried": len(known)}
            made = model.TaggerModel(self, labels, head, None, Past(tried=len(known)))
            if won is not None and isinstance(won.learner, TaggerLearner):
                own, outputs, loss = self.reader_with(won.learner.body.settle()), won.outputs, won.loss
                past = Past(won.recipe, len(known), lesson.honest(outputs))
                used |= {**asdict(won.tuning), "name": won.recipe, "gain": round(won.gain, 4)}
                made = model.TaggerModel(self, labels, won.learner.head(), own, past)
        elif own is not None:
            again, its_loss, fresh = lesson.micro(own, later(watch, MICRO_SHARE))
            fresh = lesson.honestly(fresh, past.honest)
            gain, _ = compared(lesson.counts, outputs, fresh, seed)
            if gain >= 0 or recipe.name != MICRO:
                made, outputs, loss = model.TaggerModel(self, labels, again, own, past), fresh, its_loss
                used |= {"name": past.recipe, "tried": past.tried, "gain": round(gain, 4)}
        watch.report(Progress(1.0, f"trained on {len(known)} texts", loss))
        return Trained(made, outputs, loss, used, notes)

    def _soft(self, taught: Distillation, labels: LabelSpace, watch: Watch) -> Soft | None:
        passages = self.reader().read([read_whole(item.input) for item in taught.items], watch)
        return Soft.of(taught, passages, len(labels)) if any(passages) else None

    def load(self, folder: Path, labels: LabelSpace | None = None) -> Model:
        return model.load(self, folder, labels)


def _past(before: Model | None, labels: LabelSpace) -> tuple[Past, Reader | None]:
    """What the model before says of its training, and its own reader; other labels make both worthless."""
    if isinstance(before, model.TaggerModel) and before.labels.names == labels.names:
        return before.past, before.own
    return Past(), None


def settled(recipe: Recipe) -> Hyperparameters:
    """How the head is fitted; the rest of the overrides is not looked at. Raises `TrainingImpossible`."""
    kinds = {field.name: type(field.default) for field in fields(Hyperparameters)}
    wishes = {name: value for name, value in recipe.overrides.items() if name in kinds}
    for name, value in wishes.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (kinds[name] is float and isinstance(value, float))) or value < (kinds[name] is int):  # type: ignore[operator]  # a number by then
            raise TrainingImpossible(
                f"Got {value!r} for the hyperparameter {name}, wanted a {kinds[name].__name__} that is not negative."
            )
    return replace(Hyperparameters(), **wishes)  # type: ignore[arg-type]  # names and types are checked


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
