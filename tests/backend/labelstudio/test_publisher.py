"""What the publisher writes, and that nobody's work is refused because of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from backend.labelstudio.client import LabelStudio, NewPrediction
from backend.labelstudio.publisher import Published, Publisher
from tests.label_studio import TestProject


def ours(row: dict[str, Any]) -> bool:
    return re.fullmatch(r"v\d+", row["model_version"]) is not None


@pytest.fixture
def tasks(project: TestProject) -> list[int]:
    return project.import_texts(["a", "b", "c", "d"])


def publisher(client: LabelStudio, project: TestProject, version: str, **options: Any) -> Publisher:
    return Publisher(client, project.id, version, ours=ours, **options)


def predicted(project: TestProject, tasks: list[int], choice: str = "billing") -> list[NewPrediction]:
    return [NewPrediction(task, project.regions(choice), 0.5, cluster=task % 3) for task in tasks]


def versions(project: TestProject) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in project.predictions():
        found.setdefault(row["task"], []).append(row["model_version"])
    return found


def test_a_version_is_published_in_order(client: LabelStudio, project: TestProject, tasks: list[int]) -> None:
    version = publisher(client, project, "v1")
    assert version.remaining(tasks) == tasks

    assert version.publish_urgent(predicted(project, tasks[:2])).written == 2
    assert version.name_version()
    assert project.get()["model_version"] == "v1"
    assert version.publish_rest(predicted(project, tasks)) == Published(written=2, unchanged=2)

    assert versions(project) == {task: ["v1"] for task in tasks}
    clusters = [row["cluster"] for row in project.predictions()]
    assert clusters == [tasks[0] % 3, tasks[1] % 3, None, None]
    assert version.remaining(tasks) == []


def test_a_newer_version_takes_over_the_rows(client: LabelStudio, project: TestProject, tasks: list[int]) -> None:
    publisher(client, project, "v1").publish_rest(predicted(project, tasks))
    before = {row["task"]: row["id"] for row in project.predictions()}

    newer = publisher(client, project, "v2")
    newer.publish_urgent(predicted(project, tasks[:1], "other"))
    newer.publish_rest(predicted(project, tasks, "other"))

    rows = project.predictions()
    assert {row["task"]: row["id"] for row in rows} == before
    assert {row["model_version"] for row in rows} == {"v2"}
    assert {row["result"][0]["value"]["choices"][0] for row in rows} == {"other"}


def test_label_studio_refuses_annotations_whose_prediction_was_deleted(
    client: LabelStudio, project: TestProject, tasks: list[int]
) -> None:
    """Why rows are never replaced. Should Label Studio mend this, deleting becomes possible."""
    row = project.predict(tasks[0], "billing", "v1")
    client.delete_prediction(row)

    answer = project.studio.session.post(
        f"/api/tasks/{tasks[0]}/annotations/?project={project.id}",
        json={"result": project.regions("billing"), "parent_prediction": row},
    )

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "parent_prediction" in answer.json()["validation_errors"]


def test_a_page_opened_before_a_swap_can_submit(client: LabelStudio, project: TestProject, tasks: list[int]) -> None:
    first = publisher(client, project, "v1")
    first.publish_urgent(predicted(project, tasks))
    first.name_version()
    opened = project.next_task()
    (shown,) = opened["predictions"]

    for number in (2, 3):
        newer = publisher(client, project, f"v{number}")
        newer.publish_urgent(predicted(project, tasks, "other"))
        newer.name_version()
        newer.publish_rest(predicted(project, tasks, "other"))

    submitted = project.annotate(opened["id"], "billing", parent_prediction=shown["id"])
    assert submitted["parent_prediction"] == shown["id"]


def test_an_interrupted_refresh_goes_on_where_it_stopped(
    client: LabelStudio, project: TestProject, tasks: list[int]
) -> None:
    publisher(client, project, "v1").publish_rest(predicted(project, tasks))
    asked = iter([True, True, False])
    ended = publisher(client, project, "v2", still_current=lambda: next(asked))

    assert ended.publish_rest(predicted(project, tasks)) == Published(written=2, superseded=True)

    again = publisher(client, project, "v2")
    assert again.remaining(tasks) == tasks[2:]
    assert again.publish_rest(predicted(project, tasks)) == Published(written=2, unchanged=2)


def test_a_superseded_version_writes_and_names_nothing(
    client: LabelStudio, project: TestProject, tasks: list[int]
) -> None:
    late = publisher(client, project, "v1", still_current=lambda: False)

    assert late.publish_urgent(predicted(project, tasks)).superseded
    assert late.publish_rest(predicted(project, tasks)).superseded
    assert not late.name_version()
    assert project.predictions() == []


def test_a_version_without_predictions_cannot_be_named(client: LabelStudio, project: TestProject) -> None:
    assert not publisher(client, project, "v1").name_version()


def test_other_peoples_predictions_are_left_alone(client: LabelStudio, project: TestProject, tasks: list[int]) -> None:
    theirs = project.predict(tasks[0], "technical", "imported")
    before = project.predictions()

    publisher(client, project, "v1").publish_rest(predicted(project, tasks))

    assert versions(project)[tasks[0]] == ["imported", "v1"]
    assert [row for row in project.predictions() if row["id"] == theirs] == before


def test_tasks_with_drafts_are_left_alone(client: LabelStudio, project: TestProject, tasks: list[int]) -> None:
    publisher(client, project, "v1").publish_rest(predicted(project, tasks))
    project.draft(tasks[0], "technical")

    newer = publisher(client, project, "v2")
    assert newer.remaining(tasks) == tasks[1:]
    outcome = newer.publish_rest(predicted(project, tasks))

    assert (outcome.written, outcome.drafted) == (3, 1)
    assert versions(project)[tasks[0]] == ["v1"]


def test_what_cannot_be_stored_costs_only_itself(client: LabelStudio, project: TestProject, tasks: list[int]) -> None:
    lost = 10**8
    invalid = NewPrediction(tasks[1], [{**project.regions("billing")[0], "from_name": "nothing"}], 0.5)
    wanted = [*predicted(project, [tasks[0], lost]), invalid, *predicted(project, tasks[2:])]

    outcome = publisher(client, project, "v1").publish_rest(wanted)

    assert outcome.written == 3
    assert sorted(outcome.refused) == [tasks[1], lost]
    assert sorted(versions(project)) == [tasks[0], *tasks[2:]]
    assert publisher(client, project, "v2").publish_urgent(predicted(project, [lost])).refused == [lost]


def test_a_row_that_somebody_deleted_is_written_anew(
    client: LabelStudio, project: TestProject, tasks: list[int]
) -> None:
    publisher(client, project, "v1").publish_rest(predicted(project, tasks))
    newer = publisher(client, project, "v2")
    project.act("delete_tasks_predictions", tasks)

    assert newer.publish_rest(predicted(project, tasks)).written == len(tasks)
    assert versions(project) == {task: ["v2"] for task in tasks}


def test_second_rows_are_kept_while_a_page_may_show_them(
    client: LabelStudio, project: TestProject, tasks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = project.predict(tasks[0], "other", "v0"), project.predict(tasks[0], "billing", "v1")

    publisher(client, project, "v2").publish_rest(predicted(project, tasks))
    assert [(row["id"], row["model_version"]) for row in project.predictions(tasks[0])] == [(old, "v0"), (new, "v2")]

    monkeypatch.setattr("backend.labelstudio.publisher.LEFTOVER_AGE", timedelta(0))
    publisher(client, project, "v3").publish_rest(predicted(project, tasks))
    assert [(row["id"], row["model_version"]) for row in project.predictions(tasks[0])] == [(new, "v3")]
