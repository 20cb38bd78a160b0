"""What submitting an annotation costs in Label Studio, with and without the backend."""

from __future__ import annotations

from tests.benchmarks.backend import Backend, until
from tests.benchmarks.figures import Figure, median, percentile
from tests.benchmarks.projects import Known, submit_all, text_project
from tests.benchmarks.stage import Sizes
from tests.label_studio import LabelStudioInstance

PAUSE = 0.4
"""Seconds between two submissions: faster than anybody works."""
EXTRA = 50
"""Milliseconds that the backend may cost are 20; see the issue. This many tasks stay unlabelled at the end."""


def measure(studio: LabelStudioInstance, backend: Backend, sizes: Sizes) -> list[Figure]:
    """Figures for each number of labelled tasks."""
    return [figure for labelled in sizes.settled for figure in _at(labelled, studio, backend, sizes.submissions)]


def _at(labelled: int, studio: LabelStudioInstance, backend: Backend, count: int) -> list[Figure]:
    """Submissions around `labelled` labelled tasks, in two projects that differ in the backend alone.

    Those without are made before and after those with, so that a machine that grows slower is no figure of ours.
    """
    before = labelled - count // 2
    alone, connected = (
        text_project(studio, labelled + count + EXTRA, before, title=f"{labelled} labelled, {kind}")
        for kind in ("alone", "connected")
    )
    backend.connect(studio, connected.id)
    _train(backend, connected)
    tasks = alone.unlabelled(count)
    without = submit_all(alone, tasks[: count // 2], PAUSE)
    with_backend = submit_all(connected, connected.unlabelled(count), PAUSE)
    backend.rest()
    without += submit_all(alone, tasks[count // 2 :], PAUSE)
    return _figures(labelled, without, with_backend)


def _train(backend: Backend, connected: Known) -> None:
    """Have a version that learnt from what is labelled already, and everything at rest."""
    backend.post("/train", {"project": connected.uid})
    until(lambda: backend.version(connected.uid) != "v0", "the first version", 300.0, interval=0.5)
    backend.rest()


def _figures(labelled: int, without: list[float], with_backend: list[float]) -> list[Figure]:
    part = f"submit at {labelled} labelled"
    reference = "; the peer: 84 ms without, 1,902 ms with" if labelled == 1000 else ""
    how = f"median of {len(without)}, {PAUSE:g} s apart{reference}"
    return [
        Figure(part, "without backend", 1000 * median(without), "ms", None, how),
        Figure(part, "with backend", 1000 * median(with_backend), "ms"),
        Figure(part, "added, median", 1000 * (median(with_backend) - median(without)), "ms", 20.0),
        Figure(
            part,
            "added, mean",
            1000 * (sum(with_backend) / len(with_backend) - sum(without) / len(without)),
            "ms",
            20.0,
            "trainings that the submissions set off included",
        ),
        Figure(part, "without backend, p95", 1000 * percentile(without, 0.95), "ms"),
        Figure(part, "with backend, p95", 1000 * percentile(with_backend, 0.95), "ms"),
    ]
