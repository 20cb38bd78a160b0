"""`prelabel predict --project`: a real Label Studio, a real Redis, a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.bulk.project import outcome, predict_project
from backend.cli import app
from backend.embedded_redis import EmbeddedRedis
from backend.jobs.view import JobView
from backend.labelstudio.connection import Connection, remember
from backend.projects.identity import Uid
from backend.projects.record import ProjectRecord
from tests.backend.bulk.published import publish
from tests.e2e.backend_process import BackendProcess
from tests.label_studio import TEXT_CONFIG, LabelStudioInstance, TestProject

SAID = {
    "billing": ["I was charged twice", "please refund the invoice", "my card was billed again"],
    "technical": ["the app crashes at start", "an error appears when I log in", "the page does not load"],
    "other": ["do you have an office in Rome", "I like your newsletter", "who is your founder"],
}


@pytest.fixture
def backend(tmp_path: Path, label_studio: LabelStudioInstance) -> Iterator[BackendProcess]:
    redis = EmbeddedRedis(tmp_path / "redis")
    redis.start()
    running = BackendProcess(tmp_path / "data", label_studio, redis, {})
    remember(running.folder, Connection(label_studio.url, label_studio.api_key))
    try:
        yield running
    finally:
        running.close()
        redis.stop()


@pytest.fixture
def uid(backend: BackendProcess, project: TestProject) -> str:
    """The project, set up with 30 tasks and a version."""
    uid = Uid.from_project(project.id, project.created["created_at"])
    examples = [(text, topic) for topic, texts in SAID.items() for text in texts]
    publish(backend.settings, uid, TEXT_CONFIG, {"topic": examples})
    project.import_texts([f"{text} ({number})" for number in range(4) for text, _ in examples][:30])
    return uid


def predict(backend: BackendProcess, project: int, *more: str) -> tuple[int, str]:
    environment = {
        "PRELABEL_REDIS_URL": backend.redis.url,
        "LABEL_STUDIO_URL": backend.settings.label_studio_url or "",
        "COLUMNS": "300",
    }
    given = ["predict", "--project", str(project), "--data-dir", str(backend.folder), *more]
    result = CliRunner().invoke(app, given, env=environment)
    return result.exit_code, result.output


@pytest.mark.label_studio
def test_a_project_is_predicted_by_a_worker_once(backend: BackendProcess, project: TestProject, uid: str) -> None:
    status, said = predict(backend, project.id, "--no-wait")
    assert (status, f"refresh-{uid.replace('.', '_')}-v1 is queued" in said) == (0, True), said
    assert project.predictions() == []

    backend.start("worker")
    status, said = predict(backend, project.id)
    assert (status, "30 predictions of v1 written" in said) == (0, True), said
    rows = project.predictions()
    assert sorted(row["task"] for row in rows) == project.task_ids()
    assert {row["model_version"] for row in rows} == {"v1"}

    status, said = predict(backend, project.id)  # what is written is not written again
    assert (status, "0 predictions of v1 written" in said) == (0, True), said
    assert [row["id"] for row in project.predictions()] == [row["id"] for row in rows]

    (task,) = project.import_texts(["a late one"])
    assert "1 predictions of v1 written" in predict(backend, project.id)[1]
    assert [row["model_version"] for row in project.predictions(task)] == ["v1"]


@pytest.mark.label_studio
def test_a_project_without_a_version_says_what_to_do(backend: BackendProcess, project: TestProject) -> None:
    uid = Uid.from_project(project.id, project.created["created_at"])
    status, said = predict(backend, project.id)
    assert (status, f"prelabel connect --project {project.id}" in said) == (1, True), said
    backend.collaborators.records.put(ProjectRecord(uid, "Empty", TEXT_CONFIG))
    status, said = predict(backend, project.id)
    assert (status, "has no version yet" in said) == (1, True), said


def test_without_redis_it_says_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["predict", "--project", "1", "--data-dir", str(tmp_path)])
    assert (result.exit_code, "prelabel up" in result.output) == (2, True)


@pytest.mark.label_studio
def test_a_job_that_was_stopped_is_no_success(backend: BackendProcess, project: TestProject, uid: str) -> None:
    def stop(view: JobView) -> None:
        if view.state.alive:
            backend.collaborators.queue.cancel(view.id)

    view = predict_project(backend.settings, project.id, stop)
    well, sentence = outcome(backend.settings, view)
    assert (well, "was stopped" in sentence) == (False, True), sentence
