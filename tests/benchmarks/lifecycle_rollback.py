"""Seconds from `prelabel rollback` until every server predicts with the older version, and until people see it."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from tests.benchmarks.backend import Backend, until
from tests.benchmarks.figures import Figure
from tests.benchmarks.projects import Known, text_project
from tests.label_studio import start_instance

SERVERS = 2
IN_A_ROW = 20
"""Answers of the older version, each over a connection of its own, after which all servers are taken to have it."""


def measure(folder: Path, quick: bool) -> list[Figure]:
    """On a real Label Studio, with two servers."""
    tasks, rounds = (60, 1) if quick else (500, 3)
    studio = start_instance(folder / "label-studio", folder)
    try:
        with Backend(folder / "backend", {"PRELABEL_SERVERS": str(SERVERS)}) as backend:
            known = text_project(studio, tasks, 12)
            backend.connect(studio, known.id)
            _train_twice(backend, known)
            every = [_rolled_back(backend, known) for _ in range(rounds)]
    finally:
        studio.close()
    note = f"{SERVERS} servers, {tasks} tasks, the slowest of {rounds}"
    names = ("the command's answer", "all servers predict with the older version", "Label Studio shows it")
    limits = (5.0, 5.0, None)
    slowest = [max(one[at] for one in every) for at in range(3)]
    figures = [
        Figure("rollback", name, value, "s", limit, note)
        for name, value, limit in zip(names, slowest, limits, strict=True)
    ]
    every_row = max(one[3] for one in every)
    return [*figures, Figure("rollback", "every stored prediction is the older version's", every_row, "s", None, note)]


def _train_twice(backend: Backend, known: Known) -> None:
    """v1 and v2; predictions of v2 are written."""
    backend.post("/train", {"project": known.uid})
    until(lambda: backend.version(known.uid) == "v1", "the first version", 300.0, 0.2)
    known.submit(known.unlabelled(1)[0])
    until(lambda: backend.version(known.uid) == "v2", "the second version", 120.0, 0.2)
    backend.rest(2.0)


def _rolled_back(backend: Backend, known: Known) -> tuple[float, float, float, float]:
    """Seconds; the newer version serves again afterwards."""
    path = f"/api/projects/{known.uid}"
    body = known.predict_body(known.unlabelled(1)[0])
    begun = time.monotonic()
    assert backend.post(f"{path}/rollback", {"version": "v1"})["version"] == "v1"
    answered = time.monotonic() - begun
    followed = _all_predict_with(backend, body, "v1", begun)
    until(lambda: known.project.get()["model_version"] == "v1", "Label Studio's version", 120.0, 0.1)
    named = time.monotonic() - begun
    until(lambda: _stored(known) == {"v1"}, "the older predictions", 300.0, 2.0)
    written = time.monotonic() - begun
    backend.post(f"{path}/promote", {"version": "v2"})
    until(lambda: _stored(known) == {"v2"}, "the newer predictions", 300.0, 2.0)
    backend.rest(1.0)
    return answered, followed, named, written


def _all_predict_with(backend: Backend, body: object, version: str, begun: float) -> float:
    """When the last answer of another version came, in seconds after `begun`."""
    last, row = time.monotonic(), 0
    while row < IN_A_ROW:
        with httpx.Client(base_url=backend.url, timeout=100.0) as fresh:
            answer = fresh.post("/predict", json=body).raise_for_status().json()
        row = row + 1 if answer["model_version"] == version else 0
        if not row:
            last = time.monotonic()
    return last - begun


def _stored(known: Known) -> set[str]:
    """Versions of stored predictions of tasks that are still to be labelled."""
    waiting = {int(task["id"]) for task in known.unlabelled(100_000)}
    return {str(row["model_version"]) for row in known.project.predictions() if int(row["task"]) in waiting}
