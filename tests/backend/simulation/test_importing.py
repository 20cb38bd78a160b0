"""Labelled sets in a real Label Studio: their tasks can be opened, and their annotations are what the files say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.errors import InvalidRequest
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection
from backend.projects.provenance import Provenance, provenance
from backend.simulation.importing import import_set
from backend.simulation.readers import read_set
from tests.backend.simulation import sets
from tests.label_studio import TEXT_CONFIG, LabelStudioInstance, TestProject

pytestmark = pytest.mark.label_studio

EMPTY = "<View></View>"
BOXES_CONFIG = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="objects" toName="image"><Label value="greeting"/></RectangleLabels>
</View>"""


@pytest.fixture
def client(label_studio: LabelStudioInstance) -> Iterator[LabelStudio]:
    with LabelStudio(Connection(label_studio.url, label_studio.api_key)) as client:
        yield client


def tasks_of(project: TestProject) -> list[dict[str, Any]]:
    return [project.task(task) for task in project.task_ids()]


def test_images_are_uploaded_with_their_labels(
    client: LabelStudio, label_studio: LabelStudioInstance, tmp_path: Path
) -> None:
    project = label_studio.new_project(EMPTY)
    found = read_set(sets.imagefolder(tmp_path), "imagefolder")
    steps: list[tuple[int, int]] = []
    made = import_set(client, project.id, found, annotations=True, step=lambda done, total: steps.append((done, total)))
    tasks = tasks_of(project)
    assert (made, len(tasks), steps) == (3, 3, [(3, 3)])
    for task, label in zip(tasks, ("cat", "cat", "dog"), strict=True):
        (annotation,) = task["annotations"]
        assert annotation["result"][0]["value"] == {"choices": [label]}
        assert provenance(annotation) is Provenance.IMPORTED
        assert label_studio.session.get(task["data"]["image"]).content[:4] == b"\x89PNG"


def test_a_project_keeps_its_own_names(client: LabelStudio, label_studio: LabelStudioInstance, tmp_path: Path) -> None:
    project = label_studio.new_project(TEXT_CONFIG.replace("$text", "$message"))
    file = tmp_path / "a.csv"
    file.write_text("text,label\nwhere is my invoice,billing\nit crashed,technical\n")
    assert import_set(client, project.id, read_set(file, "csv"), annotations=True) == 2
    first = tasks_of(project)[0]
    assert first["data"] == {"message": "where is my invoice"}
    (region,) = first["annotations"][0]["result"]
    assert (region["from_name"], region["to_name"], region["value"]["choices"]) == ("topic", "text", ["billing"])


def test_tasks_alone(client: LabelStudio, label_studio: LabelStudioInstance, tmp_path: Path) -> None:
    project = label_studio.new_project(EMPTY)
    found = read_set(sets.imagefolder(tmp_path), "imagefolder").drawn(2)
    assert import_set(client, project.id, found, prefix="https://example.org/pets/") == 2
    tasks = tasks_of(project)
    assert all(task["data"]["image"].startswith("https://example.org/pets/") for task in tasks)
    assert not any(task["annotations"] for task in tasks)


@pytest.mark.parametrize(
    ("make", "format_name", "task", "regions"),
    [
        (sets.coco, "coco", "keypoints", 5),
        (sets.masks, "masks", None, 2),
        (sets.mot, "mot", None, 2),
        (lambda folder: sets.conll(folder / "a.conll"), "conll", None, 3),
        (sets.crowd, "crowd", None, 1),
    ],
)
def test_kinds_without_model_are_taken(
    client: LabelStudio,
    label_studio: LabelStudioInstance,
    tmp_path: Path,
    make: Callable[[Path], Path],
    format_name: str,
    task: str | None,
    regions: int,
) -> None:
    project = label_studio.new_project(EMPTY)
    found = read_set(make(tmp_path), format_name, task)
    assert import_set(client, project.id, found, annotations=True) == len(found.tasks)
    first = tasks_of(project)[0]
    assert len(first["annotations"]) == len(found.tasks[0]["annotations"])
    assert len(first["annotations"][0]["result"]) == regions


@pytest.mark.parametrize(
    ("config", "says"),
    [(TEXT_CONFIG, "lacks labels of the set: greeting"), (BOXES_CONFIG, "has no Choices")],
)
def test_a_config_that_does_not_take_the_set_is_told_what_would(
    client: LabelStudio, label_studio: LabelStudioInstance, tmp_path: Path, config: str, says: str
) -> None:
    project = label_studio.new_project(config)
    file = tmp_path / "a.csv"
    file.write_text("text,label\nhello,greeting\n")
    with pytest.raises(InvalidRequest, match=says) as refused:
        import_set(client, project.id, read_set(file, "csv"))
    assert '<Choice value="greeting"/>' in str(refused.value)
    assert project.task_ids() == []


def test_command(label_studio: LabelStudioInstance, tmp_path: Path) -> None:
    project = label_studio.new_project(EMPTY)
    file = sets.texts(tmp_path / "tickets.csv", 8)
    environment = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.api_key}
    arguments = ["--format", "csv", "--project", str(project.id), "--annotations", "--limit", "5"]
    done = CliRunner().invoke(app, ["import", str(file), *arguments, "--data-dir", str(tmp_path)], env=environment)
    assert done.exit_code == 0, done.output
    assert f"Project {project.id} has 5 more tasks." in done.output
    assert len(project.task_ids()) == 5
