"""Changes that no webhook announces: found by looking, as a backend does that uses none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.demo.samples import TICKETS_CONFIG, tickets
from tests.e2e.installation import Installation, uid_of
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = pytest.mark.label_studio

TICKETS = list(tickets(14))
TOPICS = {ticket.topic for ticket in TICKETS}


@pytest.fixture(scope="module")
def watchful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("watchful"), PRELABEL_POLLING="2")
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


@pytest.fixture
def tasks(watchful: Installation, label_studio: LabelStudioInstance, request: pytest.FixtureRequest) -> list[int]:
    """Tasks of `quiet`, one for each of the first twelve tickets."""
    project: TestProject = request.getfixturevalue("quiet")
    return project.import_texts([ticket.text for ticket in TICKETS[:12]])


@pytest.fixture
def quiet(watchful: Installation, label_studio: LabelStudioInstance) -> Iterator[TestProject]:
    """A connected project, forgotten after the test, so that nobody looks for its changes."""
    project = label_studio.new_project(TICKETS_CONFIG)
    watchful.connect(label_studio, project)
    webhooks = label_studio.call("GET", "/api/webhooks/", params={"project": project.id})
    assert not any(webhook["is_active"] for webhook in webhooks), "it would announce its changes"
    yield project
    watchful.post("/delete", {"project": uid_of(project)})


def label(project: TestProject, tasks: list[int]) -> list[int]:
    """Label the first tasks with what they are about; the annotations' ids."""
    return [int(project.annotate(task, TICKETS[place].topic)["id"]) for place, task in enumerate(tasks)]


def test_annotations_made_and_deleted(watchful: Installation, quiet: TestProject, tasks: list[int]) -> None:
    annotations = label(quiet, tasks[:5])
    first = watchful.await_version(quiet, 5)

    quiet.delete_annotation(annotations[0])
    assert watchful.await_version(quiet, 4) != first


def test_tasks_deleted(watchful: Installation, quiet: TestProject, tasks: list[int]) -> None:
    label(quiet, tasks[:5])
    first = watchful.await_version(quiet, 5)

    quiet.act("delete_tasks", tasks[3:5])
    assert watchful.await_version(quiet, 3) != first


def test_tasks_imported_later_are_predicted_without_being_opened(
    watchful: Installation, quiet: TestProject, tasks: list[int]
) -> None:
    label(quiet, tasks[:5])
    version = watchful.await_version(quiet, 5)

    (new,) = quiet.import_texts([TICKETS[13].text])

    assert watchful.await_stored(quiet, [new], version)[new]


def test_config_changed(watchful: Installation, quiet: TestProject, tasks: list[int]) -> None:
    label(quiet, tasks[:5])  # one of each topic
    watchful.await_version(quiet, 5)

    quiet.patch(label_config=TICKETS_CONFIG.replace("Praise", "Thanks"))
    for task in tasks[5:7]:
        quiet.annotate(task, "Thanks")

    version = watchful.await_version(quiet, 6)  # the answer that left the config counts no more
    predicted = {choice for chosen in watchful.await_stored(quiet, tasks[7:], version).values() for choice in chosen}
    assert predicted
    assert predicted <= {*TOPICS, "Thanks"} - {"Praise"}


def test_deleted_project_is_no_failure(watchful: Installation, quiet: TestProject) -> None:
    quiet.studio.call("DELETE", f"/api/projects/{quiet.id}/")
    watchful.wait(quiet, lambda: f"Project {uid_of(quiet)} is gone" in watchful.log(), "a look at the deleted project")
    assert watchful.status(quiet)["errors"] == []
