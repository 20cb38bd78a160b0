"""Requests at a fixed rate, as people and Label Studio make them: they do not wait for slow answers to others.

A request's time counts from the moment at which it was due, so that a server which stalls cannot hide it by
holding up the requests after it. Sent from a process of its own, since whatever else a benchmark does would hold
up the clock.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.figures import percentile

SENDERS = 32
"""Requests in flight at most; what is due beyond that waits, and its waiting counts."""
TIMEOUT = 30.0


@dataclass(frozen=True)
class Call:
    """A request to make, again and again. `name` groups the answers."""

    name: str
    path: str
    body: Any = None
    """JSON for a POST; None makes it a GET."""


@dataclass(frozen=True)
class Answer:
    """`at`: when it was due, in seconds since the first; `status` 0: no answer at all."""

    name: str
    at: float
    seconds: float
    status: int
    empty: bool = False
    """A prediction without a result."""
    version: str = ""

    @property
    def failed(self) -> bool:
        return not 200 <= self.status < 300 or self.empty


@dataclass(frozen=True)
class Answers:
    """What became of the requests of one name."""

    all: tuple[Answer, ...]

    @classmethod
    def of(cls, answers: Iterable[Answer], name: str) -> Answers:
        return cls(tuple(answer for answer in answers if answer.name == name))

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        return 1000 * percentile((answer.seconds for answer in self.all), share)

    @property
    def failed(self) -> int:
        return sum(answer.failed for answer in self.all)


class Traffic:
    """Sends requests to one server from a process of its own."""

    def __init__(self, url: str, pool: ProcessPoolExecutor) -> None:
        self._url = url
        self._pool = pool

    def send(self, calls: Sequence[Call], rate: float, seconds: float) -> Future[list[Answer]]:
        """Begin to make `calls` in turn, `rate` requests a second for so many seconds."""
        return self._pool.submit(drive, self._url, calls, rate, seconds)


@contextmanager
def traffic(url: str) -> Iterator[Traffic]:
    """A process that sends requests to `url`, ready to begin."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(drive, url, (), 1.0, 0.0).result()  # it has started and imported what it needs
        yield Traffic(url, pool)


def drive(url: str, calls: Sequence[Call], rate: float, seconds: float) -> list[Answer]:
    """Make the requests; their answers by the time at which each was due."""
    host = urlsplit(url).netloc
    bodies = [None if call.body is None else json.dumps(call.body).encode() for call in calls]
    start = time.perf_counter() + 0.1
    turns = iter(range(int(rate * seconds) if calls else 0))
    guard = threading.Lock()

    def sender() -> list[Answer]:
        made: list[Answer] = []
        while True:
            with guard:
                turn = next(turns, None)
            if turn is None:
                return made
            due = start + turn / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            call, body = calls[turn % len(calls)], bodies[turn % len(calls)]
            status, content = _request(host, call, body)
            took = time.perf_counter() - due
            made.append(Answer(call.name, due - start, took, status, *_prediction(call, content)))

    with ThreadPoolExecutor(SENDERS) as threads:
        futures = [threads.submit(sender) for _ in range(SENDERS)]
        return sorted((answer for future in futures for answer in future.result()), key=lambda answer: answer.at)


def _request(host: str, call: Call, body: bytes | None) -> tuple[int, bytes]:
    """A connection each, as Label Studio makes them."""
    connection = http.client.HTTPConnection(host, timeout=TIMEOUT)
    try:
        connection.request("GET" if body is None else "POST", call.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _prediction(call: Call, content: bytes) -> tuple[bool, str]:
    """Whether a prediction is empty, and its version; both mean nothing for other calls."""
    if call.path != "/predict" or not content.startswith(b'{"results"'):
        return False, ""
    answer = json.loads(content)
    return any(not entry["result"] for entry in answer["results"]), str(answer["model_version"])
