"""How soon the short routes answer while trainings run: Label Studio waits 1 s for a webhook, and people with it."""

from __future__ import annotations

from tests.benchmarks.figures import Figure
from tests.benchmarks.machine import MEGABYTE, PeakMemory
from tests.benchmarks.pressure import Pressure, settle
from tests.benchmarks.stage import Stage
from tests.benchmarks.traffic import Answers, Call, traffic

RATE = 50.0
LIMIT = 50.0
"""Milliseconds at p99."""


def measure(stage: Stage) -> list[Figure]:
    """The three routes in turn, 50 requests a second, idle and then while both projects train."""
    (task,) = stage.texts.unlabelled(1)
    calls = (
        Call("/health", "/health"),
        Call("/setup", "/setup", stage.texts.setup_body()),
        Call("/webhook", "/webhook", stage.texts.event_body(task)),
    )
    settle(stage)
    with traffic(stage.backend.url) as requests:
        with Pressure(stage) as pressure, PeakMemory(stage.backend.processes.worker) as worker:
            answers = requests.send(calls, RATE, stage.sizes.seconds).result()
        settle(stage)
        quiet = requests.send(calls[:2], RATE, stage.sizes.seconds / 3).result()
    busy = f"{pressure.rounds} rounds of trainings, work to do {pressure.share:.0%} of the time"
    note = f"{RATE:g} requests/s in all, {busy}"
    figures = []
    for name in ("/health", "/setup", "/webhook"):
        of_route = Answers.of(answers, name)
        figures += [
            Figure("while training", f"{name} p50", of_route.percentile(0.5), "ms"),
            Figure("while training", f"{name} p99", of_route.percentile(0.99), "ms", LIMIT, note),
            Figure("while training", f"{name} failed", of_route.failed, "", 0, f"of {len(of_route.all)}"),
        ]
        note = ""
    for name in ("/health", "/setup"):
        figures.append(Figure("no training", f"{name} p99", Answers.of(quiet, name).percentile(0.99), "ms"))
    peak = worker.peak.pss / MEGABYTE
    figures.append(Figure("while training", "worker and its work horses, peak, PSS", peak, "MB"))
    return figures
