"""Learning from a teacher: whom a config may name, which tasks it labels, and what a version says of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.errors import UnknownVersion
from backend.jobs import distil
from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.jobs.distil import RECORDED, Distiller, Source, wishes_of
from backend.jobs.featurise import Featuriser
from backend.jobs.learn import Taught, Teacher
from backend.jobs.unlabelled import for_teacher
from backend.labelstudio.config import parse_config
from backend.projects.record import ProjectRecord
from backend.projects.roles import RolePolicy, role
from backend.serving.inputs import Task
from backend.settings import Settings
from backend.store.manifest import ControlVersion
from model_zoo.base import Watch
from model_zoo.distillation import TEMPERATURE, WEIGHT
from model_zoo.errors import TrainingImpossible
from model_zoo.recipes import Recipe
from tests.backend.jobs.laboratory import SAMPLES, Laboratory
from tests.backend.jobs.test_learn import UID, control, records
from tests.backend.jobs.test_learn_kinds import (
    CASES,
    STREETS_CONFIG,
    Case,
    control_of,
    needs_ultralytics,
    street_records,
)

SMALL = "text_classification/minilm_linear.v1"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({}, 'wants a teacher: prelabel_teacher="v3"'),
        ({"teacher_path": "../secrets.pt"}, "wanted the name of a file in the weights folder, without any folder"),
        ({"teacher_path": "/etc/passwd"}, "without any folder"),
        ({"teacher": "v1", "lambda": "much"}, "Got 'much' for lambda, wanted a number"),
        ({"teacher": "v1", "temperature": True}, "Got True for temperature"),
        ({"teacher": "v1", "unlabelled": 0}, "Got 0 for unlabelled, wanted how many tasks"),
    ],
)
def test_wishes_that_make_no_sense(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingImpossible, match=said):
        wishes_of(Recipe("distil", overrides))


def test_what_is_not_about_the_teacher_is_the_student_s() -> None:
    wishes, rest = wishes_of(Recipe("distil", {"teacher": "v3", "lambda": 1, "strength": 3.0}))
    assert (wishes.teacher, wishes.file, wishes.weight, wishes.temperature) == ("v3", None, 1.0, TEMPERATURE)
    assert rest == Recipe(overrides={"strength": 3.0})


def test_tasks_for_the_teacher_are_neither_labelled_nor_will_be_held_out() -> None:
    policy = RolePolicy(fraction=0.3, after=5)
    tasks = [{"id": number, "data": {"text": str(number)}, "more": 1} for number in range(1, 301)]
    drawn = for_teacher(tasks, range(1, 101), policy, 50)
    chosen = [int(task["id"]) for task in drawn]
    assert len(chosen) == 50
    assert chosen == sorted(chosen)
    assert min(chosen) > 100
    assert all(role(task, 1000, policy).trains for task in chosen)
    assert drawn[0].keys() == {"id", "data"}
    fewer = for_teacher(tasks, [*range(1, 101), *chosen[:10]], policy, 50)
    assert set(chosen[10:]) <= {int(task["id"]) for task in fewer}, "the others stay the same"


@pytest.fixture
def parts(tmp_path: Path) -> Collaborators:
    redis = SecretStr("redis://127.0.0.1:1/0")
    return build_collaborators(Settings(data_dir=tmp_path, redis_url=redis, torch_threads=1, weights_dir=tmp_path))


class School:
    """Six labelled tasks, and six that a teacher labels."""

    def __init__(self, parts: Collaborators) -> None:
        self._parts = parts
        self.versions: dict[str, tuple[ControlVersion, Collection[int]]] = {}

    def unlabelled(self, most: int) -> list[Task]:
        return [{"id": record.task, "data": dict(record.data)} for record in records()[6:]][:most]

    def part(self, version: str, name: str) -> tuple[ControlVersion | None, Collection[int]]:
        if version not in self.versions:
            raise UnknownVersion(f"There is no version {version}.")
        return self.versions[version]

    def teach(self, attributes: str = "", labels: Sequence[str] = (), count: int = 6, most: int = 10) -> Taught:
        have = self._parts
        featuriser = Featuriser(UID, have.features, have.inputs)
        distiller = Distiller(have.families, have.artifacts, featuriser, Source(self.unlabelled, self.part, most))
        teacher = Teacher(have.artifacts, have.families, featuriser, "v2", 0, {}, distiller)
        asked = control(*labels, attributes=attributes)
        return teacher.teach(asked, records(count), None, (), (), lambda done, total: None, Watch())

    def distilled(self, **wishes: Any) -> Taught:
        attributes = " ".join(f'prelabel_{name}="{value}"' for name, value in {"recipe": "distil", **wishes}.items())
        return self.teach(attributes)


@pytest.fixture
def school(parts: Collaborators) -> School:
    return School(parts)


def test_a_version_teaches_and_is_recorded(school: School) -> None:
    best = school.teach(count=len(SAMPLES)).part
    assert best is not None
    school.versions["v1"] = (best, range(1, 13))
    plain, taught = school.teach().part, school.distilled(teacher="v1", **{"lambda": 0.7}).part
    assert plain is not None
    assert taught is not None
    assert taught.recipe["name"] == "distil"
    assert taught.recipe[RECORDED] == {
        "teacher": "v1", "teacher_path": None, "lambda": 0.7, "temperature": TEMPERATURE, "unlabelled": 6,
        "artifact": best.artifact,
    }  # fmt: skip
    assert taught.recipe["overrides"] == {"teacher": "v1", "lambda": 0.7}
    assert taught.artifact != plain.artifact
    assert not any(key.startswith("out_of_fold_accuracy") for key in taught.metrics), "the teacher knew all answers"


def test_a_version_of_other_labels_is_refused(school: School) -> None:
    best = school.teach(count=len(SAMPLES)).part
    assert best is not None
    school.versions["v1"] = (replace(best, labels=("billing", "technical", "praise")), ())
    taught = school.distilled(teacher="v1")
    assert (taught.part, taught.changed) == (None, False)
    (note,) = taught.notes
    assert "knows 'billing', 'technical', 'praise', and not 'other'" in note or "train again" in note
    (note,) = school.distilled(teacher="v9").notes
    assert "There is no version v9. Wanted a version of this project" in note


def test_a_family_is_taught_first(school: School) -> None:
    taught = school.distilled(teacher=SMALL, unlabelled=4)
    assert taught.part is not None
    recorded = taught.part.recipe[RECORDED]
    assert (recorded["teacher"], recorded["lambda"], recorded["unlabelled"]) == (SMALL, WEIGHT, 4)
    assert taught.part.metrics["examples"] == 6
    assert "out_of_fold_accuracy" in taught.part.metrics


def test_the_settings_bound_how_many_tasks_are_labelled(school: School) -> None:
    attributes = f'prelabel_recipe="distil" prelabel_teacher="{SMALL}" prelabel_unlabelled="5"'
    part = school.teach(attributes, most=2).part
    assert part is not None
    assert part.recipe[RECORDED]["unlabelled"] == 2


def test_what_cannot_teach_is_said_with_a_sentence(school: School, tmp_path: Path) -> None:
    for wishes, said in (
        ({"teacher": "object_detection/yolo.v1"}, "solves object_detection, wanted one for text_classification"),
        ({"teacher": "text_classification/huge.v1"}, "wanted one of: text_classification/minilm_linear.v1"),
        ({"teacher": "v1", "teacher_path": "x.pt"}, "wanted one of both"),
        ({"teacher_path": "x.safetensors"}, "wanted the name of a file inside the weights folder"),
        ({}, "wants a teacher"),
    ):
        taught = school.distilled(**wishes)
        assert taught.part is None
        assert said in taught.notes[0], taught.notes


def test_a_detector_in_a_file_must_know_the_labels(parts: Collaborators, tmp_path: Path) -> None:
    """What Ultralytics publishes, with random numbers in it."""
    import torch

    from backend.jobs.lesson import Lesson
    from model_zoo.object_detection import upstream
    from model_zoo.registry import family
    from model_zoo.types import LabelSpace, TaskKind

    built = upstream.build("yolov8n")
    built.names = dict(enumerate(["person", "car", *map(str, range(78))]))
    torch.save({"model": built.half(), "ema": None, "train_args": {}}, tmp_path / "large.pt")
    tag = '<RectangleLabels name="o" toName="i"><Label value="car"/>{}</RectangleLabels>'
    xml = f'<View><Image name="i" value="$image"/>{tag}</View>'
    student = family("object_detection/yolov3_tiny.v1", tmp_path)
    featuriser = Featuriser(UID, parts.features, parts.inputs)
    source = Source(lambda most: [], lambda version, name: (None, ()), 5)
    distiller = Distiller(parts.families, parts.artifacts, featuriser, source)

    def prepare(more: str, *names: str) -> Any:
        asked = parse_config(xml.format(more)).controls[0]
        lesson = Lesson(TaskKind.OBJECT_DETECTION, LabelSpace(names))
        case = distil.Case(asked, student, lesson, lambda family: lesson, 0, Watch())
        return distiller.prepare(case, Recipe("distil", {"teacher_path": "large.pt"}))

    prepared = prepare("", "car")
    assert prepared.recorded["unlabelled"] == 0
    assert "No unlabelled task was left" in prepared.notes[0]
    with pytest.raises(TrainingImpossible, match="knows 'car', and not 'raccoon': wanted one that knows all labels"):
        prepare('<Label value="raccoon"/>', "car", "raccoon")
    with pytest.raises(TrainingImpossible, match="says nothing of 'raccoon' by itself"):
        prepare("", "raccoon")


@pytest.mark.parametrize("case", [one for one in CASES if one.id in ("named_entities", "object_detection")])
def test_spans_and_boxes_are_learnt_from_a_version(case: Case, parts: Collaborators) -> None:
    known = case.records()
    featuriser = Featuriser(UID, parts.features, parts.inputs)
    best = Teacher(parts.artifacts, parts.families, featuriser, "v1", 0, {}).teach(
        case.control(), known, None, (), (), lambda done, total: None, Watch()
    )
    assert best.part is not None

    def unlabelled(most: int) -> list[Task]:
        return [{"id": 100 + record.task, "data": dict(record.data)} for record in known[-2:]]

    source = Source(unlabelled, lambda version, name: (best.part, [record.task for record in known]), 5)
    distiller = Distiller(parts.families, parts.artifacts, featuriser, source)
    teacher = Teacher(parts.artifacts, parts.families, featuriser, "v2", 0, {}, distiller)
    control = case.control(prelabel_recipe="distil", prelabel_teacher="v1")
    taught = teacher.teach(control, known[:-2], None, (), (), lambda done, total: None, Watch())
    assert taught.part is not None, taught.notes
    assert taught.part.recipe[RECORDED]["unlabelled"] == 2
    assert taught.part.artifact != best.part.artifact


@needs_ultralytics
def test_a_detector_in_a_file_teaches_another_one(tmp_path: Path, parts: Collaborators) -> None:
    import torch

    from model_zoo.object_detection import upstream

    known = street_records()
    control = control_of(
        STREETS_CONFIG, prelabel_model="object_detection/yolov3_tiny.v1", prelabel_recipe="distil",
        prelabel_teacher_path="large.pt", prelabel_epochs="1", prelabel_image_size="64", prelabel_freeze="classes",
        prelabel_views="1",
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        built = upstream.build("yolov8n")
    for branch in built.model[-1].cv3:
        torch.nn.init.uniform_(branch[-1].bias, -4, 0)
    built.names = dict(enumerate([*control.label_names, *map(str, range(80 - len(control.label_names)))]))
    torch.save({"model": built.half(), "ema": None, "train_args": {}}, tmp_path / "large.pt")
    featuriser = Featuriser(UID, parts.features, parts.inputs)
    tasks = [{"id": 100, "data": dict(known[-1].data)}, {"id": 101, "data": {"image": "data:image/png;base64,AAAA"}}]
    source = Source(lambda most: tasks, lambda version, name: (None, ()), 5)
    distiller = Distiller(parts.families, parts.artifacts, featuriser, source)
    teacher = Teacher(parts.artifacts, parts.families, featuriser, "v1", 0, {}, distiller)
    taught = teacher.teach(control, known[:-1], None, (), (), lambda done, total: None, Watch())
    assert taught.part is not None, taught.notes
    assert taught.part.recipe[RECORDED]["unlabelled"] == 1
    assert any("1 of 2 unlabelled tasks cannot be read" in note for note in taught.notes)


@pytest.mark.label_studio
def test_a_training_asks_its_teacher_about_tasks_that_nobody_has_labelled(laboratory: Laboratory) -> None:
    record = laboratory.parts.records.get(laboratory.uid)
    wishes = {"recipe": "distil", "teacher": SMALL, "lambda": 0.4}
    laboratory.parts.records.put(ProjectRecord(record.uid, "test", record.label_config, parameters=wishes))
    laboratory.label(0, 1, 2, 3, 4, 5)
    assert laboratory.train().startswith("v1 serves, taught by 6 labelled tasks")
    part = laboratory.manifest.controls["topic"]
    assert part.recipe["name"] == "distil"
    held_out = [task for task in laboratory.tasks[6:] if not role(task, 1000, laboratory.parts.roles).trains]
    assert part.recipe[RECORDED]["unlabelled"] == 6 - len(held_out)
    assert (part.recipe[RECORDED]["teacher"], part.recipe[RECORDED]["lambda"]) == (SMALL, 0.4)
    assert part.metrics["examples"] == 6
    laboratory.parts.records.put(
        ProjectRecord(record.uid, "test", record.label_config, parameters={**wishes, "teacher": "v1"})
    )
    laboratory.label(6)
    assert laboratory.train().startswith("v2 serves, taught by 7 labelled tasks")
    recipe = laboratory.manifest.controls["topic"].recipe
    assert (recipe[RECORDED]["teacher"], recipe[RECORDED]["artifact"]) == ("v1", part.artifact)
