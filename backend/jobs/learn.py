"""Teach one control: examples to a model, its postprocessing, what it is worth, and whether it may serve."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.converters import CONVERTERS
from backend.errors import InvalidConfig, StoreError
from backend.evaluation.gate import Verdict, decide
from backend.jobs.distil import DISTIL, RECORDED, Case, Distiller, Prepared
from backend.jobs.examples import Answer, answers, asked, fingerprint
from backend.jobs.featurise import Featuriser, Step
from backend.jobs.lesson import (
    Answered,
    Lesson,
    Sample,
    against_judgements,
    crossed_of,
    metrics_of,
    paired_of,
    predicted,
)
from backend.jobs.progress import report
from backend.jobs.recipe import recipe_for
from backend.jobs.verdicts import LEARNT_FROM
from backend.labelstudio.config import Control
from backend.serving.families import WEIGHTS_FILE, Families
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion
from backend.store.records import Record
from model_zoo.base import Family, Model, Watch
from model_zoo.errors import MissingExtra, TrainingImpossible, UnreadableInput, WeightsNotFound, ZooError
from model_zoo.postprocess import Postprocess, postprocess_of
from model_zoo.recipes import Recipe
from model_zoo.targets import asking, example
from model_zoo.types import LabelSpace

log = logging.getLogger(__name__)

SOME = 100
"""Of its own examples that a model is tried on where there is nothing else."""


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


@dataclass(frozen=True)
class Rival:
    """What a challenger is held against: the part that serves, its model where that can be loaded and is of this kind,
    the tasks it has learnt from, and whether what people were shown was right, by task."""

    champion: ControlVersion | None
    model: Model | None
    seen: Collection[int]
    judged: Mapping[int, bool]


class Teacher:
    """Teaches the controls of one project for one version. `parameters` are the project's wishes for its trainings."""

    def __init__(
        self,
        artifacts: Artifacts,
        families: Families,
        featuriser: Featuriser,
        version: str,
        seed: int,
        parameters: Mapping[str, Any],
        distiller: Distiller | None = None,
    ) -> None:
        self._artifacts = artifacts
        self._families = families
        self._featuriser = featuriser
        self._version = version
        self._seed = seed
        self._parameters = parameters
        self._distiller = distiller

    def teach(
        self,
        control: Control,
        records: Iterable[Record],
        champion: ControlVersion | None,
        seen: Collection[int],
        held_back: Collection[str],
        step: Step,
        watch: Watch,
        judged: Mapping[int, bool] | None = None,
    ) -> Taught:
        """Train a challenger and let the gate decide. `seen` are the tasks that the champion has learnt from,
        `held_back` the fingerprints of challengers that failed: the same examples would give the same model.
        `judged` says by task whether the prediction that people were shown was right.

        Raises the zoo's `Cancelled`.
        """
        control, answered, news = asked(control, champion, answers(control, records))
        notes: tuple[str, ...] = (f"{control.name}: {news}",) if news else ()
        for note in notes:
            log.info("%s", note)
        try:
            chosen = self._families.of(control, champion)
        except InvalidConfig as error:
            return Taught(champion, False, (*notes, str(error)))
        training = [answer for answer in answered if answer.role.trains]
        chosen = self._families.suited(control, chosen, [answer.target for answer in training])
        labels = CONVERTERS[control.tag].label_space(control)
        recipe = recipe_for(control, self._parameters)
        learnt_from = fingerprint(
            training,
            *(chosen.name, control.model_path, labels.names, labels.multiple, self._seed),
            *([labels.objects] if labels.objects else []),
            *([recipe] if recipe != Recipe() else []),
        )
        if not training or self._is_settled(champion, learnt_from, held_back):
            return Taught(champion, False)
        settled: dict[str, Any] = {"seed": self._seed, LEARNT_FROM: learnt_from, WEIGHTS_FILE: control.model_path}
        try:
            before = self._before(champion, chosen)
            wanted = recipe.name != DISTIL and chosen.wants_inputs(len(training), labels, recipe, before)
            lesson, unread = self._lesson(control, chosen, labels, answered, before, wanted, step, watch)
            notes += unread
            if not lesson.training:
                return Taught(champion, False, notes)
            rival = Rival(champion, before, seen, judged or {})

            def lesson_for(family: Family) -> Lesson:
                if family is chosen:
                    return lesson
                return self._lesson(control, family, labels, training, None, False, step, watch)[0]

            prepared = self._prepared(Case(control, chosen, lesson, lesson_for, self._seed, watch), recipe)
            part, verdict, said = self._challenge(chosen, lesson, recipe, rival, settled, watch, prepared)
        except (MissingExtra, TrainingImpossible, WeightsNotFound) as error:
            return Taught(champion, False, (*notes, f"{control.name}: {error}"))
        notes += tuple(f"{control.name}: {note}" for note in said)
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
        before: Model | None,
        inputs: bool,
        step: Step,
        watch: Watch,
    ) -> tuple[Lesson, tuple[str, ...]]:
        tasks = [{"id": answer.record.task, "data": dict(answer.record.data)} for answer in answered]
        featurised = self._featuriser.items(control, chosen, tasks, step, watch)
        own = before.own_encoder() if before is not None else None
        featurised = self._featuriser.beside(featurised, control, chosen, tasks, own, inputs, watch)
        lesson, problems = Lesson(chosen.task, labels), dict(featurised.problems)
        for position, (answer, item) in enumerate(zip(answered, featurised.items, strict=True)):
            if item is None:
                continue
            try:
                target = CONVERTERS[control.tag].target(answer.target, item)
            except UnreadableInput as error:
                problems[position] = str(error)
            else:
                sample = Sample(answer, asking(item, target), target)
                (lesson.training if answer.role.trains else lesson.holdout).append(sample)
        if not problems:
            return lesson, ()
        first = problems[min(problems)]
        return lesson, (f"{control.name}: {len(problems)} labelled tasks cannot be read, the first: {first}",)

    def _prepared(self, case: Case, recipe: Recipe) -> Prepared | None:
        """What a teacher says, where the recipe asks for one."""
        if recipe.name != DISTIL:
            return None
        if self._distiller is None:
            raise TrainingImpossible("There are no unlabelled tasks here for a teacher; leave the recipe distil out.")
        return self._distiller.prepare(case, recipe)

    def _challenge(
        self,
        chosen: Family,
        lesson: Lesson,
        recipe: Recipe,
        rival: Rival,
        settled: Mapping[str, Any],
        watch: Watch,
        prepared: Prepared | None = None,
    ) -> tuple[ControlVersion, Verdict, tuple[str, ...]]:
        examples = [example(lesson.kind, sample.item, sample.target) for sample in lesson.training]
        if prepared is None:
            begun = rival.model if rival.model is not None and rival.model.family is type(chosen) else None
            trained = chosen.train(examples, lesson.labels, recipe, warm_start=begun, seed=self._seed, watch=watch)
        else:
            trained = prepared.train(chosen, examples, lesson.labels, self._seed, watch)
            settled = {**settled, "name": recipe.name, RECORDED: dict(prepared.recorded)}
        report("evaluate", message=f"Judging what {len(examples)} examples have taught.")
        crossed = crossed_of(trained, lesson)
        postprocess = postprocess_of(chosen.task).fit(crossed.outputs, crossed.truths, lesson.labels)
        held = predicted(trained.model, lesson.holdout)
        # What its teacher was taught, a student may have been told.
        fair = crossed.without(prepared.seen) if prepared else crossed
        own = predicted(trained.model, [] if fair.pairs else lesson.training[:SOME])
        verdict = self._gate(lesson, rival, held, fair, own, postprocess)
        part = ControlVersion(
            family=chosen.name,
            artifact=self._put(trained.model),
            labels=lesson.labels.names,
            multiple=lesson.labels.multiple,
            recipe={"name": recipe.name, **trained.hyperparameters, **settled, "overrides": dict(recipe.overrides)},
            postprocess=postprocess.to_json(),
            metrics=metrics_of(lesson, trained, fair, postprocess, held),
            trained_in=self._version,
        )
        return part, verdict, (*trained.notes, *(prepared.notes if prepared else ()))

    def _gate(
        self,
        lesson: Lesson,
        rival: Rival,
        held: Answered,
        crossed: Answered,
        own: Answered,
        postprocess: Postprocess,
    ) -> Verdict:
        """Both on the same items, which neither has learnt from; on `own`, which the challenger has, where its family
        cross-validates nothing.

        There is no comparison where the labels have changed: what people name differently now must be predicted.
        """
        champion = rival.champion
        if champion is None or champion.labels != lesson.labels.names:
            return decide()
        model = rival.model
        if model is None:
            return decide()
        before = postprocess_of(lesson.kind).from_json(champion.postprocess)
        new = crossed.without(rival.seen)
        return decide(
            paired_of(lesson, (predicted(model, lesson.holdout), before), (held, postprocess)),
            paired_of(lesson, (predicted(model, new.samples), before), (new, postprocess)),
            against_judgements(lesson, rival.judged, crossed, postprocess),
            paired_of(lesson, (predicted(model, own.samples), before), (own, postprocess)),
            seed=self._seed,
        )

    def _before(self, champion: ControlVersion | None, chosen: Family) -> Model | None:
        """The model that serves, where it solves the same task."""
        model = self._load(champion) if champion is not None else None
        return model if model is not None and model.family.task is chosen.task else None

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
