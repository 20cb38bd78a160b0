"""What Prometheus may scrape: latencies measured here, counters of the services, the queue's jobs.

Every series carries the id of the process that counted it. With several server processes behind one port a
scrape reaches one of them; the label keeps their counters apart, so that `rate()` and `sum()` stay right.
"""

from __future__ import annotations

import os
import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.errors import QueueUnavailable
from backend.server.protocol import COUNTERS, Count, ServicesProtocol

BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 100.0)
"""Seconds. Label Studio waits 1 s for `/health` and `/webhook`, 3 s for `/setup`, 100 s for `/predict`."""


class Metrics:
    """The measures of one app in one process."""

    def __init__(self, services: ServicesProtocol) -> None:
        self._process = str(os.getpid())
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "prelabel_request_seconds",
            "Seconds from a request's arrival to the end of its answer.",
            ("route", "status", "process"),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._running = Gauge(
            "prelabel_requests_running", "Requests being answered.", ("process",), registry=self._registry
        ).labels(self._process)
        self._registry.register(ServicesCollector(services, self._process))

    def begin(self) -> float:
        self._running.inc()
        return time.perf_counter()

    def end(self, started: float, route: str, status: int) -> None:
        self._running.dec()
        self._seconds.labels(route, str(status), self._process).observe(time.perf_counter() - started)

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format. Asks the queue: call it in a thread."""
        return generate_latest(self._registry)


class ServicesCollector(Collector):
    """Reads the services' counters and the queue at the moment of a scrape."""

    def __init__(self, services: ServicesProtocol, process: str) -> None:
        self._services = services
        self._process = process

    def describe(self) -> Iterable[Metric]:
        # Without this the registry would collect, and so ask Redis, when the app is built.
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._counters(self._services.counts())
        yield from self._jobs()

    def _counters(self, counts: list[Count]) -> Iterator[Metric]:
        for name, (help_text, label_names) in COUNTERS.items():
            family = CounterMetricFamily(f"prelabel_{name}", help_text, labels=(*label_names, "process"))
            for count in counts:
                if count["name"] == name:
                    values = [count["labels"].get(label, "") for label in label_names]
                    family.add_metric([*values, self._process], count["value"])
            yield family

    def _jobs(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("prelabel_queue_up", "1 while Redis answers.")
        jobs = GaugeMetricFamily("prelabel_jobs", "Background jobs by kind and state.", labels=("kind", "state"))
        try:
            tally = Tally((job.kind.value, job.state.value) for job in self._services.queue.jobs())
            for (kind, state), number in tally.items():
                jobs.add_metric([kind, state], number)
            up.add_metric([], 1)
        except QueueUnavailable:
            up.add_metric([], 0)
        yield from (up, jobs)


class Stopwatch:
    """ASGI middleware that times each request under its route's pattern, so that odd paths make no new series."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        status = 500

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = self._metrics.begin()
        try:
            await self._app(scope, receive, note_status)
        finally:
            self._metrics.end(started, getattr(scope.get("route"), "path", "other"), status)
