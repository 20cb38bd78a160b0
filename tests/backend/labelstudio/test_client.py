from __future__ import annotations

import subprocess
import sys

import pytest

from backend.errors import LabelStudioError
from backend.labelstudio.client import LabelStudio, NewPrediction
from backend.labelstudio.queries import ANNOTATED, TaskQuery, filter_time
from tests.label_studio import TestProject


def test_predictions_are_written_read_overwritten_and_deleted(client: LabelStudio, project: TestProject) -> None:
    first, second = project.import_texts(["a", "b"])

    row = client.create_prediction(NewPrediction(first, project.regions("billing"), 0.25, cluster=3), "v1")
    (stored,) = client.predictions(project.id)
    assert (stored["id"], stored["task"], stored["cluster"], stored["score"]) == (row, first, 3, 0.25)

    client.update_prediction(row, NewPrediction(first, project.regions("other"), 0.75, cluster=4), "v2")
    (stored,) = client.predictions(project.id, first)
    assert (stored["id"], stored["model_version"], stored["cluster"], stored["score"]) == (row, "v2", 4, 0.75)
    assert stored["result"] == project.regions("other")

    assert client.import_predictions(project.id, [NewPrediction(second, [], 1.0)], "v2") == 1
    assert [one["task"] for one in client.predictions(project.id)] == [first, second]

    client.delete_prediction(row)
    assert [one["task"] for one in client.predictions(project.id)] == [second]


def test_invalid_predictions_are_counted_out_and_lost_tasks_refuse_all(
    client: LabelStudio, project: TestProject
) -> None:
    (task,) = project.import_texts(["a"])
    wrong = [{**project.regions("billing")[0], "from_name": "no such control"}]

    assert client.import_predictions(project.id, [NewPrediction(task, wrong, 0.5)], "v1") == 0
    assert client.import_predictions(project.id, [], "v1") == 0
    with pytest.raises(LabelStudioError) as refused:
        client.import_predictions(project.id, [NewPrediction(10**8, [], 0.5), NewPrediction(task, [], 0.5)], "v1")
    assert refused.value.status == 400
    assert client.predictions(project.id) == []


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.01])
def test_a_score_outside_of_its_range_never_leaves(score: float) -> None:
    with pytest.raises(ValueError, match="Task 7"):
        NewPrediction(7, [], score)


def test_unlabelled_tasks_are_those_still_offered(client: LabelStudio, project: TestProject) -> None:
    labelled, skipped, drafted, fresh = project.import_texts(["a", "b", "c", "d"])
    project.annotate(labelled, "other")
    project.skip(skipped)
    project.draft(drafted, "billing")

    assert [task["id"] for task in client.unlabelled_tasks(project.id)] == [skipped, drafted, fresh]
    assert next(client.unlabelled_tasks(project.id)) == {"id": skipped, "data": {"text": "b"}}
    assert client.drafted_tasks(project.id) == {drafted}


def test_tasks_are_paged_without_gaps_while_they_are_labelled(client: LabelStudio, project: TestProject) -> None:
    tasks = project.import_texts([str(number) for number in range(7)])
    query = TaskQuery(fields=("id", "data"), page_size=2)

    read = []
    for task in client.tasks(project.id, query):
        read.append(task["id"])
        project.annotate(task["id"], "other")

    assert read == tasks


def test_totals_count_what_matches(client: LabelStudio, project: TestProject) -> None:
    tasks = project.import_texts(["a", "b", "c"])
    project.annotate(tasks[0], "other")
    project.annotate(tasks[0], "billing")
    project.skip(tasks[1])

    annotated, everything = client.totals(project.id, ANNOTATED), client.totals(project.id)

    assert (annotated.tasks, annotated.annotations) == (1, 2)
    assert (everything.tasks, everything.annotations) == (3, 2)


def test_a_task_comes_with_annotations_and_predictions(client: LabelStudio, project: TestProject) -> None:
    (task,) = project.import_texts(["a"])
    row = project.predict(task, "billing", "v1")
    project.annotate(task, "billing", parent_prediction=row)

    found = client.task(task)

    assert [one["id"] for one in found["predictions"]] == [row]
    assert [one["parent_prediction"] for one in found["annotations"]] == [row]


def test_times_are_given_the_fraction_that_filters_insist_on() -> None:
    assert filter_time("2026-11-20T06:27:00Z") == "2026-11-20T06:27:00.000000Z"
    assert filter_time("2026-11-20T06:27:00.5Z") == "2026-11-20T06:27:00.500000Z"
    assert filter_time("2026-11-20T06:27:00.123456+00:00") == "2026-11-20T06:27:00.123456Z"
    with pytest.raises(ValueError, match="wanted a UTC time"):
        filter_time("2026-11-20T06:27:00.123456+02:00")


def test_importing_the_client_costs_no_sdk_and_building_it_no_pandas() -> None:
    program = """
import sys
import backend.labelstudio.connection
assert "httpx" not in sys.modules
import backend.labelstudio.client, backend.labelstudio.publisher, backend.labelstudio.changes
assert not [name for name in sys.modules if name.startswith("label_studio_sdk")]
from backend.labelstudio.connection import Connection
client = backend.labelstudio.client.LabelStudio(Connection("http://127.0.0.1:9", "0" * 40))
client.authorization_header()
client.close()
for heavy in ("pandas", "torch", "numpy"):
    assert heavy not in sys.modules, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)
