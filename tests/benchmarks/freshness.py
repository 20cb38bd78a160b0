"""Seconds from the submission of an annotation to the moment in which what it taught is served and shown."""

from __future__ import annotations

import time
from typing import Any

from backend.projects.identity import version_number
from tests.benchmarks.backend import Backend, until
from tests.benchmarks.figures import Figure, median
from tests.benchmarks.projects import Known
from tests.benchmarks.stage import Stage

LOOK = 0.1
TIMEOUT = 120.0


def measure(stage: Stage) -> list[Figure]:
    """Submit, wait until served, submit the next: the refresh of the version before still runs meanwhile."""
    return [
        *_of(stage, "text", stage.texts, 5.0),
        *_of(stage, "images", stage.images, 10.0),
    ]


def _of(stage: Stage, kind: str, known: Known, limit: float) -> list[Figure]:
    rounds = [_served(stage.backend, known) for _ in range(stage.sizes.served)]
    answered = [first for first, _ in rounds]
    shown = [last for _, last in rounds]
    part = f"submit to served, {kind}"
    how = "the next task opens with the new version's stored prediction, and the project's model_version names it"
    return [
        Figure(part, "/predict answers with the new version, median", median(answered), "s"),
        Figure(part, "served and shown, median", median(shown), "s", limit, f"{how}; {len(rounds)} submissions"),
        Figure(part, "served and shown, slowest", max(shown), "s", limit),
    ]


def _served(backend: Backend, known: Known) -> tuple[float, float]:
    """Seconds until `/predict` answers with a newer version, and until the next task is shown with it."""
    task, *more = known.unlabelled(2)
    body = known.predict_body(*more)
    before = version_number(backend.post("/predict", body)["model_version"])
    known.submit(task)
    begun = time.perf_counter()

    def newer(name: Any) -> bool:
        return isinstance(name, str) and name.startswith("v") and version_number(name) > before

    until(lambda: newer(backend.post("/predict", body)["model_version"]), "a newer version", TIMEOUT, LOOK)
    answered = time.perf_counter() - begun
    until(lambda: newer(known.project.get()["model_version"]), "the project to name it", TIMEOUT, LOOK)

    def shown() -> bool:
        version = known.project.get()["model_version"]
        opened = known.project.next_task()
        return newer(version) and any(row["model_version"] == version for row in opened["predictions"])

    until(shown, "the next task to open with its prediction", TIMEOUT, LOOK)
    return answered, time.perf_counter() - begun
