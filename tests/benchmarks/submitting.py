"""What submitting an annotation costs in Label Studio, with and without the backend."""

from __future__ import annotations

from tests.benchmarks.backend import Backend
from tests.benchmarks.figures import Figure, median, percentile
from tests.benchmarks.projects import submit_all, text_project
from tests.benchmarks.stage import Sizes
from tests.label_studio import LabelStudioInstance

PACE = 2.0
"""Seconds between two submissions of a person who is fast."""
BURST = 0.4
"""Seconds between two submissions, faster than anybody works: each finds the training that the one before set off."""
EXTRA = 50
"""This many tasks stay unlabelled at the end."""


def measure(studio: LabelStudioInstance, backend: Backend, sizes: Sizes) -> list[Figure]:
    """Figures for each number of labelled tasks, and for a burst where every change retrains."""
    cases = [*((labelled, PACE) for labelled in sizes.settled), (min(sizes.settled), BURST)]
    return [figure for labelled, pause in cases for figure in _at(labelled, pause, studio, backend, sizes.submissions)]


def _at(labelled: int, pause: float, studio: LabelStudioInstance, backend: Backend, count: int) -> list[Figure]:
    """Submissions around `labelled` labelled tasks, in two projects that differ in the backend alone.

    Those without are made before and after those with, so that a machine that grows slower is no figure of ours, and
    at the same pace: a Label Studio that did nothing for two seconds answers more slowly than a busy one.
    """
    before = labelled - count // 2
    alone, connected = (
        text_project(studio, labelled + count + EXTRA, before, title=f"{labelled} labelled, {pause:g} s apart, {kind}")
        for kind in ("alone", "connected")
    )
    backend.connect(studio, connected.id)
    backend.learn(connected.uid)
    tasks = alone.unlabelled(count)
    without = submit_all(alone, tasks[: count // 2], pause)
    with_backend = submit_all(connected, connected.unlabelled(count), pause)
    backend.rest()
    without += submit_all(alone, tasks[count // 2 :], pause)
    return _figures(labelled, pause, without, with_backend)


def _figures(labelled: int, pause: float, without: list[float], with_backend: list[float]) -> list[Figure]:
    part = f"submit at {labelled} labelled, {'one every' if pause == PACE else 'a burst, one every'} {pause:g} s"
    reference = "; the peer: 84 ms without, 1,902 ms with" if labelled == 1000 else ""
    how = f"median of {len(without)}{reference}"
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
