"""What a server and its worker take with three projects' models loaded."""

from __future__ import annotations

from tests.benchmarks.backend import until
from tests.benchmarks.figures import Figure
from tests.benchmarks.machine import MEGABYTE, memory_of, memory_of_all
from tests.benchmarks.pressure import settle
from tests.benchmarks.projects import text_project
from tests.benchmarks.stage import Stage
from tests.benchmarks.startup import figures

LIMIT = 1200.0
PART = "three models"


def measure(stage: Stage) -> list[Figure]:
    """Text with one answer, images, and text with several answers, each asked for a prediction."""
    third = text_project(stage.studio, 40, 12, several=True, title="Several")
    stage.backend.connect(stage.studio, third.id)
    stage.backend.post("/train", {"project": third.uid})
    until(lambda: stage.backend.version(third.uid) != "v0", "the third project's version", 120.0)
    settle(stage)
    for known in (stage.texts, stage.images, third):
        stage.backend.post("/predict", known.predict_body(*known.unlabelled(4)))
    processes = stage.backend.processes
    server, worker = memory_of(processes.server), memory_of_all(processes.of_worker)
    everything = memory_of_all(processes.all).pss / MEGABYTE
    return [
        *figures(PART, "server", server, LIMIT, "the peer's process: 1.22 GB"),
        *figures(PART, "worker with its two queues, idle", worker, None),
        Figure(PART, "everything, PSS", everything, "MB", None, "Redis and supervisor included"),
    ]
