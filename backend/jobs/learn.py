"""Teach one control: examples to a model, its postprocessing, what it is worth, and whether it may serve."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backend.converters import CONVERTERS
from backend.errors import InvalidConfig, StoreError
from backend.evaluation.gate import Paired, Verdict, decide
from backend.evaluation.measures import Measures, item_scores, measure
from backend.jobs.examples import Answer, answers, fingerprint
from backend.jobs.featurise import Featuriser, Step
from backend.labelstudio.config import Control
from backend.serving.families import WEIGHTS_FILE, Families
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion
from backend.store.records import Record
from model_zoo.base import Family, Model, Trained, Watch
from model_zoo.errors import WeightsNotFound, ZooError
from model_zoo.postprocess import Decision, Postprocess, fit_postprocess
from model_zoo.recipes import Recipe
from model_zoo.types import ClassificationExample, Item, LabelSpace, Output

log = logging.getLogger(__name__)

LEARNT_FROM = "learnt_from"
"""Key in a part's recipe: the fingerprint of its training examples. An equal one would give the same model."""


@dataclass(frozen=True)
class Lesson:
    """Answers with their items: what is learnt from, and the holdout that is not."""

    labels: LabelSpace
    training: list[tuple[Answer, Item]] = field(default_factory=list)
    holdout: list[tuple[Answer, Item]] = field(default_factory=list)


@dataclass(frozen=True)
class Taught:
    """`part` is what the next version serves for the control: new, or the champion's, or None where nothing is.

    `changed` says whether it is new; `notes` are sentences for people about what is wrong. `challenger` and `verdict`
    are None where nothing was trained.
    """

    part: ControlVersion | None
    changed: bool
    notes: tuple[str, ...] = ()
    challenger: ControlVersion | None = None
    verdict: Verdict | None = None


class Teacher:
    """Teaches the controls of one project for one version."""

    def __init__(
        self, artifacts: Artifacts, families: Families, featuriser: Featuriser, version: str, seed: int
    ) -> None:
        self._artifacts = artifacts
        self._families = families
        self._featuriser = featuriser
        self._version = version
        self._seed = seed

    def teach(
        self,
        control: Control,
        records: Iterable[Record],
        champion: ControlVersion | None,
        seen: Collection[int],
        held_back: Collection[str],
        step: Step,
        watch: Watch,
    ) -> Taught:
        """Train a challenger and let the gate decide. `seen` are the tasks that the champion has learnt from,
        `held_back` the fingerprints of challengers that failed: the same examples would give the same model.

        Raises the zoo's `TrainingImpossible` and `Cancelled`.
        """
        try:
            chosen = self._families.of(control, champion)
        except InvalidConfig as error:
            return Taught(champion, False, (str(error),))
        answered = answers(control, records)
        training = [answer for answer in answered if answer.role.trains]
        labels = CONVERTERS[control.tag].label_space(control)
        learnt_from = fingerprint(training, chosen.name, control.model_path, labels.names, labels.multiple, self._seed)
        if not training or self._is_settled(champion, learnt_from, held_back):
            return Taught(champion, False)
        try:
            lesson, notes = self._lesson(control, chosen, labels, answered, step, watch)
        except WeightsNotFound as error:
            return Taught(champion, False, (f"{control.name}: {error}",))
        if not lesson.training:
            return Taught(champion, False, notes)
        settled: dict[str, str | int | None] = {
            "seed": self._seed,
            LEARNT_FROM: learnt_from,
            WEIGHTS_FILE: control.model_path,
        }
        part, verdict = self._challenge(chosen, lesson, champion, seen, settled, watch)
        if verdict.promote:
            return Taught(part, True, notes, part, verdict)
        return Taught(champion, False, (*notes, f"{control.name}: {verdict.reason}"), part, verdict)

    def _is_settled(self, champion: ControlVersion | None, learnt_from: str, held_back: Collection[str]) -> bool:
        """Whether training would only give what serves already (unless that is damaged), or what was held back."""
        if champion is None:
            return False
        if champion.recipe.get(LEARNT_FROM) == learnt_from:
            return self._load(champion) is not None
        return learnt_from in held_back

    def _lesson(
        self,
        control: Control,
        chosen: Family,
        labels: LabelSpace,
        answered: Sequence[Answer],
        step: Step,
        watch: Watch,
    ) -> tuple[Lesson, tuple[str, ...]]:
        tasks = [{"id": answer.record.task, "data": dict(answer.record.data)} for answer in answered]
        featurised = self._featuriser.items(control, chosen, tasks, step, watch)
        lesson = Lesson(labels)
        for answer, item in zip(answered, featurised.items, strict=True):
            if item is not None:
                (lesson.training if answer.role.trains else lesson.holdout).append((answer, item))
        if not featurised.problems:
            return lesson, ()
        first = featurised.problems[min(featurised.problems)]
        unread = len(featurised.problems)
        return lesson, (f"{control.name}: {unread} labelled tasks cannot be read, the first: {first}",)

    def _challenge(
        self,
        chosen: Family,
        lesson: Lesson,
        champion: ControlVersion | None,
        seen: Collection[int],
        settled: Mapping[str, str | int | None],
        watch: Watch,
    ) -> tuple[ControlVersion, Verdict]:
        examples = [ClassificationExample(item, answer.labels) for answer, item in lesson.training]
        recipe = Recipe()
        trained = chosen.train(examples, lesson.labels, recipe, seed=self._seed, watch=watch)
        crossed = _crossed(trained, lesson)
        postprocess = fit_postprocess([output for _, output in crossed], [a.labels for a, _ in crossed], lesson.labels)
        held = _decisions(trained.model, postprocess, lesson.holdout)
        verdict = self._gate(lesson, champion, seen, held, crossed, postprocess)
        part = ControlVersion(
            family=chosen.name,
            artifact=self._put(trained.model),
            labels=lesson.labels.names,
            multiple=lesson.labels.multiple,
            recipe={"name": recipe.name, **trained.hyperparameters, **settled},
            postprocess=postprocess.to_json(),
            metrics=_metrics(lesson, trained, crossed, postprocess, held),
            trained_in=self._version,
        )
        return part, verdict

    def _gate(
        self,
        lesson: Lesson,
        champion: ControlVersion | None,
        seen: Collection[int],
        held: Sequence[Decision],
        crossed: Sequence[tuple[Answer, Output]],
        postprocess: Postprocess,
    ) -> Verdict:
        """Both on the same items, which neither has learnt from; no comparison where the labels have changed."""
        if champion is None or champion.labels != lesson.labels.names:
            return decide()
        model = self._load(champion)
        if model is None:
            return decide()
        before = Postprocess.from_json(champion.postprocess)
        items = {answer.record.task: item for answer, item in lesson.training}
        new = [(answer, output) for answer, output in crossed if answer.record.task not in seen]
        asked = [(answer, items[answer.record.task]) for answer, _ in new]
        return decide(
            _paired(_decisions(model, before, lesson.holdout), held, [answer for answer, _ in lesson.holdout]),
            _paired(
                _decisions(model, before, asked),
                [postprocess.decide(output, lesson.labels) for _, output in new],
                [answer for answer, _ in new],
            ),
            seed=self._seed,
        )

    def _load(self, champion: ControlVersion) -> Model | None:
        """The model that serves; None where it cannot be loaded, so that training again is a remedy."""
        try:
            return self._families.behind(champion).load(self._artifacts.fetch(champion.artifact))
        except (StoreError, ZooError) as error:
            log.warning("A new version is compared with nothing, for the one before it cannot be loaded: %s", error)
            return None

    def _put(self, model: Model) -> str:
        with tempfile.TemporaryDirectory(prefix="prelabel-model-") as folder:
            model.save(Path(folder))
            return self._artifacts.put(Path(folder))


def _crossed(trained: Trained, lesson: Lesson) -> list[tuple[Answer, Output]]:
    """Training answers with the outputs of models that had not seen them, where there are any."""
    pairs = zip(lesson.training, trained.out_of_fold, strict=True)
    return [(answer, output) for (answer, _), output in pairs if output is not None]


def _decisions(model: Model, postprocess: Postprocess, asked: Sequence[tuple[Answer, Item]]) -> list[Decision]:
    outputs = model.predict([item for _, item in asked])
    return [postprocess.decide(output, model.labels) for output in outputs]


def _paired(champion: Sequence[Decision], challenger: Sequence[Decision], answered: Sequence[Answer]) -> Paired:
    truths = [answer.labels for answer in answered]
    return Paired(item_scores(_names(champion), truths), item_scores(_names(challenger), truths))


def _names(decisions: Sequence[Decision]) -> list[frozenset[str]]:
    return [frozenset(name for name, _ in decision.labels) for decision in decisions]


def _metrics(
    lesson: Lesson,
    trained: Trained,
    crossed: Sequence[tuple[Answer, Output]],
    postprocess: Postprocess,
    held: Sequence[Decision],
) -> dict[str, float]:
    """Figures for the manifest: by cross-validation, and on the holdout once there is one."""
    decided = [postprocess.decide(output, lesson.labels) for _, output in crossed]
    by_folds = measure(decided, [answer.labels for answer, _ in crossed], lesson.labels)
    by_holdout = measure(held, [answer.labels for answer, _ in lesson.holdout], lesson.labels)
    counts = {"answers": float(len(lesson.training) + len(lesson.holdout)), "examples": float(len(lesson.training))}
    return {
        **counts,
        "loss": trained.loss,
        **_prefixed("out_of_fold", by_folds),
        **_prefixed("holdout", by_holdout),
    }


def _prefixed(name: str, measures: Measures | None) -> dict[str, float]:
    return {f"{name}_{key}": value for key, value in measures.to_json().items()} if measures else {}
