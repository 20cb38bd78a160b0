"""What the terminal shows of a status."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import Any

import pytest
from rich.console import Console

from backend.app import create_app
from backend.jobs.view import JobKind, JobState, JobView
from backend.settings import Settings
from backend.status_report import NoAnswer, cancel_job, render_status, watch_status
from tests.backend.server.running import running
from tests.backend.server.stand_in import UID, StandInServices, project_status

PROJECT: dict[str, Any] = {
    "id": 7,
    "title": "[red]Tickets[/red]",
    "version": "v3",
    "pinned": True,
    "words": ["v3, topic: 90% of 17 predictions accepted"],
    "controls": [{"name": "topic", "words": ["on 60 held-out tasks: exact 85%"]}],
    "labelled": 12,
    "total": 400,
    "accuracy": 0.875,
    "job": {
        "kind": "train",
        "state": "started",
        "stage": "training",
        "epoch": 3,
        "epochs": 40,
        "metrics": {"loss": 0.12345},
        "fraction": 0.5,
        "eta": 3.2,
    },
    "errors": [{"at": 0.0, "message": "Label Studio was away."}],
}
STATUS: dict[str, Any] = {
    "status": "UP",
    "title": "Prelabel",
    "release": "0.1.0",
    "label_studio": "http://localhost:8080",
    "queue": True,
    "projects": [PROJECT],
    "errors": [],
}


def shown(**changes: Any) -> str:
    console = Console(file=io.StringIO(), width=160)
    render_status({**STATUS, **changes}, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_project_is_shown_with_its_job_and_errors() -> None:
    text = shown()
    for part in (
        "7: topic on 60 held-out tasks: exact 85%",
        "v3 (pinned)",
        "7: v3, topic: 90% of 17 predictions accepted",
        "12 of 400",
        "87.5%",
        "train started training epoch 3 of 40 loss 0.123 50% 3 s left",
        "Label Studio was away.",
    ):
        assert part in text


def test_titles_of_other_people_are_no_markup() -> None:
    assert "[red]Tickets[/red]" in shown()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"queue": False}, "Redis is away"),
        ({"projects": []}, "prelabel connect"),
        ({"label_studio": None}, "not connected yet"),
        ({"projects": [{**PROJECT, "total": None, "accuracy": None, "job": None}]}, "12"),
    ],
)
def test_what_is_missing_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in shown(**changes)


def test_watching_shows_changes_and_outlives_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.status_report.WATCHED_EVERY", 0.01)
    services = StandInServices()
    services.projects = [project_status(version="v3")]
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    with ExitStack() as server:
        address = server.enter_context(running(create_app(Settings(), services)))

        def looks(number: int) -> bool:
            if number == 2:
                services.projects = [project_status(version="v4")]
            if number == 4:
                server.close()
            return number < 6

        watch_status(Settings(public_url=address), console, looks)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert text.index("v3") < text.index("v4") < text.index("No backend answers")


def test_watching_shows_what_a_job_logs_and_it_can_be_stopped() -> None:
    running_job = JobView("train-1_1795149789", UID, JobKind.TRAIN, JobState.STARTED, stage="train")
    services = StandInServices()
    services.queue.known = {running_job.id: running_job}
    services.queue.logs = {running_job.id: ["first", "sync: Reading", "train: epoch 2", "train: [b]epoch 3[/b]"]}
    services.projects = [project_status(), project_status(uid="2.2", id=2, job=None)]
    console = Console(file=io.StringIO(), width=160)
    with running(create_app(Settings(), services)) as address:
        settings = Settings(public_url=address)
        watch_status(settings, console, lambda number: False)
        assert cancel_job(settings, running_job.id)["state"] == "canceled"
        with pytest.raises(NoAnswer, match="has no such job"):
            cancel_job(settings, "train-9_9")
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "1: train: [b]epoch 3[/b]" in text
    assert "first" not in text, "the last lines alone"
    assert f"prelabel cancel {running_job.id}" in text
