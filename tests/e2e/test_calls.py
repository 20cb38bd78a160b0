"""What else Label Studio asks of a running `prelabel up`, and what programs written for its protocol expect."""

from __future__ import annotations

from typing import Any

import pytest

from backend.demo.samples import TICKETS_CONFIG, tickets
from tests.e2e.installation import Installation, choices, shown, uid_of
from tests.e2e.labelling_page import LabellingPage
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = pytest.mark.label_studio

TICKETS = list(tickets(16))
TEXTS = [ticket.text for ticket in TICKETS]


@pytest.fixture
def connected(installation: Installation, label_studio: LabelStudioInstance) -> TestProject:
    """A connected project with twelve tickets."""
    project = label_studio.new_project(TICKETS_CONFIG)
    project.import_texts(TEXTS[:12])
    installation.connect(label_studio, project)
    return project


def taught(installation: Installation, project: TestProject, labels: int = 5) -> str:
    """Label some tasks; the version that comes of it."""
    for task, ticket in list(zip(project.task_ids(), TICKETS, strict=False))[:labels]:
        project.annotate(task, ticket.topic)
    return installation.await_version(project, labels)


def backend_of(project: TestProject) -> dict[str, Any]:
    (backend,) = project.studio.call("GET", "/api/ml", params={"project": project.id})
    return dict(backend)


def add_by_hand(project: TestProject, url: str, **more: str) -> dict[str, Any]:
    """Connect a model in the project's settings; what the page sends."""
    body = {"project": project.id, "title": "Mine", "url": url, "is_interactive": False, "extra_params": "", **more}
    return dict(project.studio.call("POST", "/api/ml", json=body))


def test_a_backend_added_by_hand_learns_too(
    installation: Installation, label_studio: LabelStudioInstance, connected: TestProject
) -> None:
    """`connected` has pinned the Label Studio; nothing else is done for this project."""
    project = label_studio.new_project(TICKETS_CONFIG)
    tasks = project.import_texts(TEXTS[:12])

    assert add_by_hand(project, installation.url)["state"] == "CO"

    assert project.get()["model_version"] == "Mine"  # as Label Studio has it: the backend is asked live
    version = taught(installation, project)
    assert project.get()["model_version"] == version
    installation.await_stored(project, tasks[5:], version)
    assert project.next_task()["predictions"][0]["model_version"] == version


def test_retrieve_predictions(installation: Installation, connected: TestProject) -> None:
    tasks = connected.task_ids()
    connected.act("retrieve_tasks_predictions")
    assert [shown(connected, task)[0][0] for task in tasks] == ["v0"] * len(tasks)

    version = taught(installation, connected)
    stored = installation.await_stored(connected, tasks[5:], version)
    connected.act("retrieve_tasks_predictions")

    assert installation.await_stored(connected, tasks[5:], version) == stored  # and not one row more


def test_tasks_imported_later_are_predicted_without_being_opened(
    installation: Installation, connected: TestProject
) -> None:
    version = taught(installation, connected)

    new = connected.import_texts(TEXTS[12:])

    assert all(installation.await_stored(connected, new, version).values())


def test_start_training_button(installation: Installation, connected: TestProject) -> None:
    button = f"/api/ml/{backend_of(connected)['id']}/train"
    for webhook in connected.studio.call("GET", "/api/webhooks/", params={"project": connected.id}):
        connected.studio.call("DELETE", f"/api/webhooks/{webhook['id']}/")

    connected.studio.call("POST", button, json={"use_ground_truth": False})
    installation.await_rest(connected)
    assert backend_of(connected)["state"] == "CO"
    assert installation.status(connected)["errors"] == []  # with nothing labelled there is nothing to learn: no error

    for task, ticket in list(zip(connected.task_ids(), TICKETS, strict=False))[:3]:
        connected.annotate(task, ticket.topic)
    assert installation.status(connected)["version"] == "v0"
    connected.studio.call("POST", button, json={"use_ground_truth": False})
    installation.await_version(connected, 3)


@pytest.mark.browser
def test_quick_view(installation: Installation, connected: TestProject, labelling: LabellingPage) -> None:
    version = taught(installation, connected)
    task, *_ = waiting = connected.task_ids()[5:]
    stored = installation.await_stored(connected, waiting, version)

    labelling.open_quick_view(connected, task)

    labelling.expect_chosen(stored[task])
    labelling.screenshot("quick-view")
    assert installation.await_stored(connected, [task], version) == {task: stored[task]}


def test_health(installation: Installation) -> None:
    answer = installation.client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "UP")


def test_no_tasks_get_no_predictions(installation: Installation, connected: TestProject) -> None:
    assert installation.predict(connected, [])["results"] == []


@pytest.mark.parametrize("action", ["ANNOTATION_CREATED", "PROJECT_UPDATED"])
def test_webhook_without_annotation(installation: Installation, connected: TestProject, action: str) -> None:
    project = {"id": connected.id, "created_at": connected.created["created_at"]}
    answer = installation.client.post("/webhook", json={"action": action, "project": project})
    assert answer.is_success, answer.text


def test_predicted_values_in_any_case_and_order_kept(installation: Installation, connected: TestProject) -> None:
    config = TICKETS_CONFIG.replace('value="Praise"', 'value="Applause" predicted_values="pRAISE,thanks"')
    version = taught(installation, connected, labels=10)
    tasks = [{"id": 10**6 + place, "data": {"text": text}} for place, text in enumerate(TEXTS)]

    body = {"tasks": tasks, "project": uid_of(connected), "label_config": config}
    answer = installation.post("/predict", body)

    alone = [installation.post("/predict", {**body, "tasks": [task]})["results"][0] for task in tasks]
    assert [choices(one["result"]) for one in answer["results"]] == [choices(one["result"]) for one in alone]
    assert {one["model_version"] for one in answer["results"]} == {answer["model_version"]} == {version}
    predicted = [choice for one in answer["results"] for choice in choices(one["result"])]
    assert "Applause" in predicted
    assert "Praise" not in predicted
