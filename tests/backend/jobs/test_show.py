"""Writing predictions: what people meet first, resumed after an interruption, ended by a newer version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from backend.jobs.show import Show
from backend.labelstudio.client import LabelStudio, NewPrediction
from backend.projects.judgement import Outcome
from backend.store.manifest import Manifest
from model_zoo.base import Watch
from tests.backend.jobs.laboratory import SAMPLES, TOPICS, Laboratory

pytestmark = pytest.mark.label_studio


class Killed(BaseException):
    """The process has died."""


class Recording(LabelStudio):
    """The real client; notes what is written, and dies before the write number `limit`."""

    limit: int | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.written: list[tuple[str, int]] = []

    def create_prediction(self, prediction: NewPrediction, model_version: str) -> int:
        self._note("create", prediction.task)
        return super().create_prediction(prediction, model_version)

    def update_prediction(self, row: int, prediction: NewPrediction, model_version: str) -> None:
        self._note("update", prediction.task)
        super().update_prediction(row, prediction, model_version)

    def import_predictions(self, project: int, predictions: Any, model_version: str) -> int:
        predictions = list(predictions)
        if predictions:
            self._note("import", len(predictions))
        return super().import_predictions(project, predictions, model_version)

    def update_project(self, project: int, **fields: Any) -> dict[str, Any]:
        self._note("name", project)
        return super().update_project(project, **fields)

    def _note(self, what: str, number: int) -> None:
        if len(self.written) == self.limit:
            raise Killed
        self.written.append((what, number))


@contextmanager
def showing(laboratory: Laboratory, manifest: Manifest | None = None, limit: int | None = None) -> Iterator[Any]:
    """A `Show` of a version, by default the current one, and the client that it writes with."""
    connection = laboratory.parts.connection()
    assert connection is not None
    with Recording(connection) as client:
        client.limit = limit
        labelled = list(laboratory.snapshot().values())
        chosen = manifest or laboratory.manifest
        yield Show(laboratory.parts, laboratory.uid, chosen, laboratory.config, client, labelled), client


def nothing(done: int, total: int) -> None:
    """A step that nobody looks at."""


@pytest.fixture
def trained(laboratory: Laboratory) -> Laboratory:
    """A project with a version, of which no prediction is shown."""
    laboratory.label(0, 1, 2)
    laboratory.train()
    for row in laboratory.project.predictions():
        laboratory.project.studio.call("DELETE", f"/api/predictions/{row['id']}/")
    laboratory.project.patch(model_version="")
    return laboratory


def test_first_predictions_then_the_name_then_the_rest(trained: Laboratory) -> None:
    laboratory = trained.with_parts(settings=trained.parts.settings.model_copy(update={"urgent_tasks": 2}))
    with showing(laboratory) as (show, client):
        outcome = show.everything(nothing, Watch())
    assert outcome.written == len(SAMPLES) - 3
    assert [what for what, _ in client.written] == ["create", "create", "name", "import"]
    first = [task for what, task in client.written if what == "create"]
    rows = laboratory.rows()
    scores = {task: row["score"] for task, row in rows.items()}
    assert sorted(rows) == laboratory.tasks[3:]
    assert max(scores[task] for task in first) <= min(score for task, score in scores.items() if task not in first)
    assert all(rows[task]["cluster"] is not None for task in first)
    assert laboratory.project.get()["model_version"] == "v1"


def test_predictions_are_shown_by_the_stream(trained: Laboratory) -> None:
    trained.refresh()
    opened = trained.project.next_task()
    assert [row["model_version"] for row in opened["predictions"]] == ["v1"]
    assert opened["predictions"][0]["result"][0]["value"]["choices"][0] in TOPICS


def test_refresh_that_was_killed_goes_on_where_it_was(trained: Laboratory) -> None:
    laboratory = trained.with_parts(settings=trained.parts.settings.model_copy(update={"urgent_tasks": 6}))
    with showing(laboratory, limit=4) as (show, client), pytest.raises(Killed):
        show.everything(nothing, Watch())
    done = set(laboratory.rows())
    assert len(done) == 4
    with showing(laboratory) as (show, client):
        outcome = show.everything(nothing, Watch())
    assert outcome.written == len(SAMPLES) - 3 - 4
    assert not done & {task for what, task in client.written if what == "create"}
    assert sorted(laboratory.rows()) == laboratory.tasks[3:]
    assert laboratory.project.get()["model_version"] == "v1"


def test_refresh_that_was_killed_between_portions_goes_on_behind_what_is_done(trained: Laboratory) -> None:
    with showing(trained, limit=4) as (show, _), pytest.raises(Killed):
        show.everything(nothing, Watch(), at_once=3)
    assert 3 <= len(trained.rows()) < len(SAMPLES) - 3
    with showing(trained) as (show, _):
        show.everything(nothing, Watch(), at_once=3)
    assert sorted(trained.rows()) == trained.tasks[3:]


def test_newer_version_ends_an_older_refresh(trained: Laboratory) -> None:
    older = trained.manifest
    trained.label(3)
    trained.train()
    before = trained.rows()
    with showing(trained, older) as (show, client):
        assert show.everything(nothing, Watch()).superseded
    assert client.written == []
    assert trained.rows() == before
    assert "serves no more" in trained.refresh("v1")


def test_rows_are_overwritten_so_that_open_pages_can_submit(trained: Laboratory) -> None:
    trained.refresh()
    before = trained.rows()
    trained.label(3)
    trained.train()
    trained.refresh()
    after = trained.rows()
    open_tasks = trained.tasks[4:]
    assert {task: after[task]["id"] for task in open_tasks} == {task: before[task]["id"] for task in open_tasks}
    assert {after[task]["model_version"] for task in open_tasks} == {"v2"}
    page = before[trained.tasks[5]]
    trained.project.annotate(trained.tasks[5], result=page["result"], parent_prediction=page["id"], lead_time=600.0)
    trained.sync()
    judged = {entry.task: entry for entry in trained.parts.ledger.judgements(trained.uid)}
    assert (judged[trained.tasks[5]].version, judged[trained.tasks[5]].outcome) == ("v1", Outcome.ACCEPTED)


def test_task_with_a_draft_is_left_alone(trained: Laboratory) -> None:
    task = trained.tasks[5]
    trained.project.draft(task, "billing")
    said = trained.refresh()
    assert task not in trained.rows()
    assert len(trained.rows()) == len(SAMPLES) - 4
    assert "predictions of v1 written" in said


def test_predictions_of_others_are_left_alone(trained: Laboratory) -> None:
    task = trained.tasks[5]
    foreign = trained.project.predict(task, "billing", "somebody else's model")
    same_name = trained.project.predict(trained.tasks[6], "billing", "v1")
    trained.refresh()
    kept = {row["id"]: row for row in trained.project.predictions()}
    assert kept[foreign]["model_version"] == "somebody else's model"
    assert kept[same_name]["result"][0]["id"] == "r1"


def test_task_that_failed_is_tried_again(laboratory: Laboratory) -> None:
    (broken,) = laboratory.project.import_tasks([{"data": {"text": ""}}])
    laboratory.label(0, 1)
    laboratory.train()
    laboratory.refresh()
    row = laboratory.rows()[broken]
    assert (row["result"], row["score"]) == ([], 1.0), "it has to come last"
    laboratory.project.studio.call("PATCH", f"/api/tasks/{broken}/", json={"data": {"text": "My card was debited."}})
    laboratory.refresh()
    again = laboratory.rows()[broken]
    assert again["id"] == row["id"]
    assert again["result"]
    assert again["score"] < 1.0


def test_deleted_row_is_written_anew(trained: Laboratory) -> None:
    trained.refresh()
    row = trained.rows()[trained.tasks[5]]
    trained.project.studio.call("DELETE", f"/api/predictions/{row['id']}/")
    trained.refresh()
    assert trained.tasks[5] in trained.rows()


def test_task_deleted_meanwhile_costs_nobody_else(trained: Laboratory) -> None:
    with showing(trained) as (show, _):
        trained.project.act("delete_tasks", [trained.tasks[5]])
        show.everything(nothing, Watch())
    assert sorted(trained.rows()) == [task for task in trained.tasks[3:] if task != trained.tasks[5]]


def test_nothing_to_write_is_legal(trained: Laboratory) -> None:
    trained.refresh()
    with showing(trained) as (show, client):
        assert show.everything(nothing, Watch()).written == 0
        assert show.first().written == 0
    assert client.written == []
