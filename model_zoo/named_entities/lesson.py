"""What one training of a tagger has before it: texts, their spans, and heads that were fitted to some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from model_zoo.base import Progress, Watch
from model_zoo.errors import Cancelled, TrainingImpossible
from model_zoo.linear.folds import stratified
from model_zoo.named_entities.body import WordsBody, parts_of
from model_zoo.named_entities.fitting import Head, Hyperparameters, Sentence, fit_head, sentences
from model_zoo.named_entities.learner import TaggerLearner, counts
from model_zoo.named_entities.model import output
from model_zoo.named_entities.reading import LAYERS, Passage, Reader
from model_zoo.named_entities.soft import Soft
from model_zoo.named_entities.tags import tags_of
from model_zoo.tuning.climb import Counts, Outputs
from model_zoo.tuning.effort import Check
from model_zoo.tuning.honest import Honest, keys_of
from model_zoo.tuning.hyperparameters import FEW_SHOT, FINE_TUNE, Cost, Tuning, size_of
from model_zoo.tuning.trial import Trial
from model_zoo.types import EntityExample, EntityOutput, LabelSpace, Output

COSTS = {FEW_SHOT: Cost(0.004, 0.012), FINE_TUNE: Cost(0.001, 0.03)}
"""Of a sentence of `hyperparameters.USUAL` characters."""


class Course:
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


class Lesson:
    """The examples with their texts, and how they are to be learnt; `soft` is what a teacher says of other texts."""

    def __init__(
        self,
        examples: Sequence[EntityExample],
        texts: Sequence[str],
        labels: LabelSpace,
        hyper: Hyperparameters,
        tuning: Tuning,
        seed: int,
        soft: Soft | None = None,
    ) -> None:
        self._examples, self._texts, self._labels = examples, texts, labels
        self._hyper, self._tuning, self._seed, self._soft = hyper, tuning, seed, soft
        self._held = np.array(
            [[any(s.label == name for s in example.spans) for name in labels.names] for example in examples]
        )
        self._given: list[list[Sentence]] = []
        self._heads: dict[tuple[int, ...], tuple[Head, float]] = {}

    def micro(self, reader: Reader, watch: Watch) -> tuple[Head, float, Outputs]:
        """A head on what the reader gives, its loss, and what heads that have not seen them say of the texts."""
        count = len(self._examples)
        course = Course(watch, self._hyper.iterations, min(self._hyper.folds, count) if count > 1 else 0)
        read = reader.read(self._texts, watch)
        watch.report(Progress(Course.READ, f"{count} texts are read"))
        self._heads = {}
        self._given = [
            [part for passage in passages for part in self._parts(passage, example)]
            for example, passages in zip(self._examples, read, strict=True)
        ]
        outputs = self._cross_validate(read, course)
        head, loss = self._fitted(range(count), course.step)
        return head, loss, outputs

    def trial(self, reader: Reader, rival: Outputs, demanded: bool) -> Trial:
        """Of larger recipes, against what micro says of texts left out."""
        parts = [parts_of(reader.vectors, text) for text in self._texts]

        def make(recipe: str, tuning: Tuning, views: int, check: Check) -> TaggerLearner:
            body = WordsBody(reader.network.bert(), min(LAYERS) if recipe == FEW_SHOT else 0)

            def micro(chosen: Sequence[int]) -> Head:
                return self._fitted(chosen, lambda loss: check())[0]

            return TaggerLearner(body, self._examples, self._texts, parts, self._labels, micro, tuning, check)

        return Trial(
            make, self._numbers(self._tuning.parts), rival, self._tuning, COSTS, size_of(self._texts), demanded,
            self._seed,
        )  # fmt: skip

    def counts(self, outputs: Sequence[Output], chosen: Sequence[int]) -> Counts:
        return counts(outputs, [self._examples[at] for at in chosen], self._labels)

    def honest(self, outputs: Outputs) -> Honest:
        """Outputs as they are kept."""
        rows = [
            np.concatenate([one.spans, one.probabilities], axis=1).astype(np.float32)
            if isinstance(one, EntityOutput)
            else None
            for one in outputs
        ]
        return Honest(dict(zip(self._keys(), rows, strict=True)))

    def honestly(self, fresh: Outputs, known: Honest) -> Outputs:
        """`fresh` outputs, but for texts of which something is kept just that."""
        found: list[Output | None] = []
        for key, text, one in zip(self._keys(), self._texts, fresh, strict=True):
            if key not in known.rows:
                found.append(one)
                continue
            row = known.rows[key]
            found.append(None if row is None else EntityOutput(text, row[:, :2].astype(np.int64), row[:, 2:]))
        return tuple(found)

    def _keys(self) -> list[bytes]:
        return keys_of([text.encode("utf-8", "surrogatepass") for text in self._texts])

    def _numbers(self, folds: int) -> npt.NDArray[np.int64]:
        return stratified(self._held, min(folds, len(self._examples)), self._seed)

    def _fitted(self, chosen: Sequence[int], check: Callable[[float], None]) -> tuple[Head, float]:
        """A head for some of the texts; fitted once, for folds are asked for again. Raises `TrainingImpossible`."""
        key = tuple(chosen)
        if key not in self._heads:
            parts = [part for at in chosen for part in self._given[at]]
            if not parts:
                raise TrainingImpossible("Got texts without a word, wanted one at least; label another task.")
            out = sorted(set(range(len(self._examples))) - set(chosen))
            soft = self._soft.leaving_out(out) if self._soft and out else self._soft
            self._heads[key] = fit_head(parts, len(self._labels), self._hyper, check, soft)
        return self._heads[key]

    def _cross_validate(self, read: Sequence[Sequence[Passage]], course: Course) -> Outputs:
        """Each text's output by a tagger that has not seen it; None where all of the other texts were needed, or where
        it has a label that no other text has."""
        outputs: list[Output | None] = [None] * len(self._examples)
        folds = min(self._hyper.folds, len(self._examples))
        if folds < 2:
            return tuple(outputs)
        numbers = self._numbers(folds)
        for fold in range(folds):
            inside = np.flatnonzero(numbers != fold)
            if not any(self._given[at] for at in inside) or not self._held[inside].any():
                continue
            head, _ = self._fitted(inside.tolist(), course.step)
            for at in np.flatnonzero(numbers == fold):
                if not (self._held[at] & ~self._held[inside].any(axis=0)).any():
                    outputs[at] = output(head, self._texts[at], read[at], len(self._labels))
        return tuple(outputs)

    def _parts(self, passage: Passage, example: EntityExample) -> list[Sentence]:
        return sentences(passage, tags_of(passage.words, example.spans, self._labels))
