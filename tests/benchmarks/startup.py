"""How soon a backend that was just started answers, and what it takes before any model is loaded."""

from __future__ import annotations

import time
from pathlib import Path

from tests.benchmarks.backend import Backend
from tests.benchmarks.figures import Figure, median
from tests.benchmarks.machine import MEGABYTE, Memory, memory_of, memory_of_all
from tests.benchmarks.stage import Sizes

PART = "start"
SETTLING = 6.0
"""Seconds after which the worker has imported what jobs need."""


def measure(folder: Path, sizes: Sizes) -> list[Figure]:
    """Start `prelabel up` some times, in empty data folders."""
    waited = []
    for number in range(sizes.starts):
        with Backend(folder / f"start-{number}") as backend:
            waited.append(backend.seconds_to_health)
            if number == sizes.starts - 1:
                idle = memory(backend)
    note = f"slowest of {sizes.starts} starts of `prelabel up` with an empty data folder; the peer needs 14.7 s"
    return [
        Figure(PART, "first /health", max(waited), "s", 3.0, note),
        Figure(PART, "first /health, median", median(waited), "s", 3.0),
        *idle,
    ]


def memory(backend: Backend) -> list[Figure]:
    """Before any model is loaded."""
    time.sleep(SETTLING)
    processes = backend.processes
    server, worker, everything = (
        memory_of(processes.server),
        memory_of_all(processes.of_worker),
        memory_of_all(processes.all),
    )
    return [
        *figures(PART, "server, idle before any model", server, 300.0),
        *figures(PART, "worker with its two queues, idle", worker, None),
        Figure(PART, "everything, idle, PSS", everything.pss / MEGABYTE, "MB", None, "Redis and supervisor included"),
    ]


def figures(part: str, what: str, memory: Memory, limit: float | None, note: str = "") -> list[Figure]:
    """Resident and proportional size of what `memory` measured."""
    return [
        Figure(part, f"{what}, RSS", memory.rss / MEGABYTE, "MB", limit, note),
        Figure(part, f"{what}, PSS", memory.pss / MEGABYTE, "MB", limit),
    ]
