"""What a project's models learn from a larger one: whom the config names as teacher, and what that says of tasks that
nobody has labelled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.errors import InvalidConfig, StoreError, UnknownVersion
from backend.jobs.featurise import Featuriser
from backend.jobs.lesson import Lesson
from backend.jobs.progress import report
from backend.labelstudio.controls import Control, is_file_name, shorten
from backend.projects.identity import is_version
from backend.serving.families import Families
from backend.serving.inputs import Task
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion
from model_zoo.base import Encoder, Family, Model, Trained, Watch
from model_zoo.distillation import TEMPERATURE, WEIGHT, Distillation, as_taught, columns_of
from model_zoo.errors import Cancelled, TrainingImpossible, UnknownFamily, UnreadableInput, ZooError
from model_zoo.postprocess import Postprocess, postprocess_of
from model_zoo.recipes import Hyperparameter, Recipe
from model_zoo.targets import example
from model_zoo.types import Example, Item, LabelSpace, Output

log = logging.getLogger(__name__)

DISTIL = "distil"
"""The recipe's name."""
RECORDED = "distilled"
"""Key in a part's recipe: who was its teacher, and how much it had to say."""
BATCH = 16
"""Items that a teacher answers between two looks at whether to go on."""


@dataclass(frozen=True)
class Wishes:
    """What a config says of a teacher: a version of the project or a family, by name; a file in the weights folder; the
    weight and the temperature of the loss; how many tasks it is asked about, at most, None for what the settings allow.
    """

    teacher: str | None = None
    file: str | None = None
    weight: float = WEIGHT
    temperature: float = TEMPERATURE
    tasks: int | None = None

    @property
    def said(self) -> str:
        return " with ".join(name for name in (self.teacher, self.file) if name)


def wishes_of(recipe: Recipe) -> tuple[Wishes, Recipe]:
    """The wishes, and the recipe for the student, without them. Raises `TrainingImpossible`."""
    rest = dict(recipe.overrides)
    teacher, file = (rest.pop(name, None) for name in ("teacher", "teacher_path"))
    weight = _number(rest, "lambda", WEIGHT)
    temperature = _number(rest, "temperature", TEMPERATURE)
    tasks = rest.pop("unlabelled", None)
    if tasks is not None and (type(tasks) is not int or tasks < 1):
        raise TrainingImpossible(f"Got {tasks!r} for unlabelled, wanted how many tasks a teacher may label, 1 or more.")
    if teacher is None and file is None:
        raise TrainingImpossible(
            'The recipe distil wants a teacher: prelabel_teacher="v3" (a version of this project) or a family of '
            '`prelabel models`, or prelabel_teacher_path="yolov8m.pt" (a file in the weights folder).'
        )
    if file is not None and not is_file_name(str(file)):
        raise TrainingImpossible(
            f'prelabel_teacher_path: got "{shorten(str(file))}", wanted the name of a file in the weights folder, '
            "without any folder. Put the file into PRELABEL_WEIGHTS_DIR and give its name alone."
        )
    named = None if teacher is None else str(teacher)
    return Wishes(named, None if file is None else str(file), weight, temperature, tasks), Recipe(overrides=rest)


@dataclass(frozen=True)
class Source:
    """Where tasks and versions come from: `unlabelled` gives at most so many tasks that nobody has labelled; `part` the
    part of a version for a control (Raises `UnknownVersion`), and the tasks that were labelled when it was trained."""

    unlabelled: Callable[[int], list[Task]]
    part: Callable[[str, str], tuple[ControlVersion | None, Collection[int]]]
    most: int


@dataclass(frozen=True)
class Prepared:
    """Everything that a student learns with. `seen` are tasks whose labels the teacher has learnt from and cannot be
    kept from it, so that nothing may be judged by them; `recorded` goes into the version."""

    recipe: Recipe
    taught: Distillation
    seen: Collection[int]
    recorded: Mapping[str, Hyperparameter | None]
    notes: tuple[str, ...] = ()

    def train(
        self, chosen: Family, examples: Sequence[Example], labels: LabelSpace, seed: int, watch: Watch
    ) -> Trained:
        """A model of the family that has learnt from people and teacher. As `Family.distil`."""
        return chosen.distil(examples, labels, self.recipe, self.taught, seed=seed, watch=watch)


@dataclass(frozen=True)
class Case:
    """Who is to learn what: a control, the student's family, its labels, its lesson, and the lesson as another family
    takes it."""

    control: Control
    student: Family
    lesson: Lesson
    lesson_for: Callable[[Family], Lesson]
    seed: int
    watch: Watch

    @property
    def labels(self) -> LabelSpace:
        return self.lesson.labels

    @property
    def quiet(self) -> Watch:
        """For a teacher's own training: how far it is says nothing of how far the student's is."""
        return Watch(cancelled=self.watch.cancelled)


@dataclass(frozen=True)
class _Teacher:
    """`answers` gives outputs for unlabelled items of `family`, None for what cannot be read, of a teacher that has not
    learnt from the tasks named; `learns` says whether that makes a difference. `own` is the encoder that it has for
    itself. The rest is as of `Prepared`."""

    family: Family
    answers: Callable[[Sequence[Item], Collection[int]], list[Output | None]]
    learns: bool = False
    seen: Collection[int] = ()
    recorded: Mapping[str, Hyperparameter] = field(default_factory=dict)
    own: Encoder | None = None


class Distiller:
    """Finds teachers, and asks them."""

    def __init__(self, families: Families, artifacts: Artifacts, featuriser: Featuriser, source: Source) -> None:
        self._families = families
        self._artifacts = artifacts
        self._featuriser = featuriser
        self._source = source

    def prepare(self, case: Case, recipe: Recipe) -> Prepared:
        """Ask the teacher that the recipe names. Raises `TrainingImpossible`, `WeightsNotFound`, `MissingExtra`,
        `Cancelled`."""
        wishes, rest = wishes_of(recipe)
        teacher = self._teacher(case, wishes)
        tasks = self._source.unlabelled(min(wishes.tasks or self._source.most, self._source.most))
        report("train", message=f"{wishes.said} labels {len(tasks)} tasks.")
        own, theirs = (
            self._featuriser.items(case.control, family, tasks, watch=case.quiet, own=encoder).items
            for family, encoder in ((case.student, None), (teacher.family, teacher.own))
        )
        both = [(mine, other) for mine, other in zip(own, theirs, strict=True) if mine and other]
        said = teacher.answers([other for _, other in both], ()) if both else []
        read = [(pair, output) for pair, output in zip(both, said, strict=True) if output is not None]
        items, asked = [mine for (mine, _), _ in read], [other for (_, other), _ in read]
        position = [sample.task for sample in case.lesson.training]

        def without(held: Sequence[int]) -> list[Output]:
            again = teacher.answers(asked, {position[at] for at in held})
            return [output for output in again if output is not None]

        taught = Distillation(
            items,
            [output for _, output in read],
            wishes.weight,
            wishes.temperature,
            without if teacher.learns else None,
        )
        recorded = {
            "teacher": wishes.teacher,
            "teacher_path": wishes.file,
            "lambda": wishes.weight,
            "temperature": wishes.temperature,
            "unlabelled": len(items),
            **teacher.recorded,
        }
        log.info("%s: %s has labelled %d tasks.", case.control.name, wishes.said, len(items))
        return Prepared(rest, taught, teacher.seen, recorded, _notes(len(tasks), len(items)))

    def _teacher(self, case: Case, wishes: Wishes) -> _Teacher:
        if wishes.teacher is not None and is_version(wishes.teacher):
            if wishes.file is not None:
                raise TrainingImpossible(f"Got {wishes.said} as the teacher, wanted one of both; leave the other out.")
            return self._version(case, wishes.teacher)
        family = self._family(case, wishes)
        return _taught_first(case, family) if wishes.teacher is not None else _as_it_is(case, family, wishes.said)

    def _family(self, case: Case, wishes: Wishes) -> Family:
        try:
            family = self._families.named(wishes.teacher or case.student.name, wishes.file)
        except (UnknownFamily, InvalidConfig) as error:
            raise TrainingImpossible(f"prelabel_teacher: {error}") from None
        _check_kind(case, family)
        return family

    def _version(self, case: Case, name: str) -> _Teacher:
        """A model of this project, as it was published."""
        try:
            part, seen = self._source.part(name, case.control.name)
            if part is None:
                raise UnknownVersion(f"{name} has no model for {case.control.name}.")
            family = self._families.behind(part)
            model = family.load(self._artifacts.fetch(part.artifact))
            postprocess = postprocess_of(family.task).from_json(part.postprocess)
        except (UnknownVersion, StoreError, UnknownFamily, ZooError) as error:
            raise TrainingImpossible(
                f"prelabel_teacher: {error} Wanted a version of this project; `prelabel versions` lists them."
            ) from None
        _check_kind(case, family)
        if part.multiple != case.labels.multiple:
            before, now = _how_many(part.multiple), _how_many(case.labels.multiple)
            raise TrainingImpossible(
                f"The teacher {name} was taught {before} a task, wanted {now}, as the config has it; name another."
            )
        columns = columns_of(part.labels, case.labels, name)

        def answers(items: Sequence[Item], held: Collection[int]) -> list[Output | None]:
            return _said(model, items, postprocess, columns, case)

        return _Teacher(family, answers, seen=seen, recorded={"artifact": part.artifact}, own=model.own_encoder())


def _as_it_is(case: Case, family: Family, said: str) -> _Teacher:
    """A pretrained network that knows all labels by name. What it says is calibrated by what people have labelled."""
    model = family.untrained(case.labels)
    if model is None:
        raise TrainingImpossible(
            f"The teacher {said} says nothing of {', '.join(map(repr, case.labels.names[:10]))} by itself: wanted one "
            "that knows all labels of the project. Name its family in prelabel_teacher, too: that is taught them first."
        )
    missing = set(family.unknown(case.labels))
    known = [name for name in case.labels.names if name not in missing]
    columns = columns_of(known, case.labels, said)
    samples = case.lesson_for(family).training
    given = _answered(model, [sample.item for sample in samples], case)
    postprocess = postprocess_of(family.task).fit(given, [sample.target for sample in samples], case.labels)

    def answers(items: Sequence[Item], held: Collection[int]) -> list[Output | None]:
        return _said(model, items, postprocess, columns, case)

    return _Teacher(family, answers)


def _taught_first(case: Case, family: Family) -> _Teacher:
    """A family that learns from people first, and once more for each part of the tasks that is left out."""
    lesson = case.lesson_for(family)

    def answers(items: Sequence[Item], held: Collection[int]) -> list[Output | None]:
        samples = [sample for sample in lesson.training if sample.task not in held]
        examples = [example(lesson.kind, sample.item, sample.target) for sample in samples]
        trained = family.train(examples, case.labels, Recipe(), seed=case.seed, watch=case.quiet)
        truths = [sample.target for sample in samples]
        postprocess = postprocess_of(family.task).fit(trained.out_of_fold, truths, case.labels)
        return _said(trained.model, items, postprocess, range(len(case.labels)), case)

    return _Teacher(family, answers, learns=True)


def _said(
    model: Model, items: Sequence[Item], postprocess: Postprocess, columns: Sequence[int], case: Case
) -> list[Output | None]:
    return [
        None if output is None else as_taught(output, postprocess, columns, case.labels)
        for output in _answered(model, items, case)
    ]


def _answered(model: Model, items: Sequence[Item], case: Case) -> list[Output | None]:
    """One output an item, None for what cannot be read. Raises `Cancelled`."""
    outputs: list[Output | None] = []
    for first in range(0, len(items), BATCH):
        if case.watch.cancelled():
            raise Cancelled("Training was stopped on request.")
        outputs += _read(model, items[first : first + BATCH])
    return outputs


def _read(model: Model, items: Sequence[Item]) -> list[Output | None]:
    try:
        return list(model.predict(items))
    except UnreadableInput:
        return [None] if len(items) == 1 else [output for item in items for output in _read(model, [item])]


def _check_kind(case: Case, family: Family) -> None:
    if family.task is not case.student.task:
        raise TrainingImpossible(
            f"The teacher {family.name} solves {family.task.value}, wanted one for {case.student.task.value}; "
            "`prelabel models` lists them."
        )


def _number(rest: dict[str, Any], name: str, usual: float) -> float:
    value = rest.pop(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TrainingImpossible(f"Got {value!r} for {name}, wanted a number.")
    return float(value)


def _how_many(multiple: bool) -> str:
    return "any number of labels" if multiple else "one label"


def _notes(asked: int, answered: int) -> tuple[str, ...]:
    if not answered:
        return ("No unlabelled task was left for the teacher, so only people's labels were learnt.",)
    if answered < asked:
        return (f"{asked - answered} of {asked} unlabelled tasks cannot be read, and the teacher was not asked.",)
    return ()
