"""Thousands of events, and processes that are killed at random meanwhile."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import httpx

from backend.labelstudio.webhook import HINTED, TOLD
from tests.e2e.backend_process import BackendProcess
from tests.e2e.ticket_labelling import Labelling
from tests.processes import children, kill, parent

EVERY = 25
"""Of so many events one is a label that somebody submits; the others say again, in any order, what was said."""
PAUSE = (1.0, 4.0)
"""Seconds between two kills: shorter than a start, so that what is starting is hit, too."""


class Killer:
    """A thread that kills a server, a work horse, a worker or its parent again and again. A context manager."""

    def __init__(self, backend: BackendProcess, seed: int) -> None:
        self._backend = backend
        self._random = random.Random(seed)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.killed: list[str] = []

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(30.0)

    def _run(self) -> None:
        targets: dict[str, Callable[[], int | None]] = {
            "server": self._server,
            "horse": self._backend.horse_pid,
            "worker": self._backend.worker_pid,
            "workers' parent": self._parent,
        }
        while not self._end.wait(self._random.uniform(*PAUSE)):
            name = self._random.choice(list(targets))
            with suppress(AssertionError, OSError):  # it ended by itself at this very moment
                pid = targets[name]()
                if pid is not None and pid != os.getpid():
                    kill(pid)
                    self.killed.append(name)

    def _server(self) -> int | None:
        servers = self._backend.server_pids()
        return self._random.choice(servers) if servers else None

    def _parent(self) -> int | None:
        worker = self._backend.worker_pid()
        whole = parent(worker) if worker is not None else None
        return whole if whole is not None and worker in children(whole) else None


def rage(backend: BackendProcess, labelling: Labelling, events: int, seed: int) -> tuple[list[str], int]:
    """Send `events` events while processes are killed; what was killed, and how many events got no answer."""
    chance, unanswered = random.Random(seed), 0
    project = {"id": labelling.project.id, **{key: labelling.project.get()[key] for key in ("created_at", "title")}}
    with Killer(backend, seed) as killer, httpx.Client(base_url=backend.url, timeout=1.0) as client:
        for number in range(events):
            if number % EVERY == 0:
                labelling.label()
                continue
            body = {"action": chance.choice(HINTED + TOLD), "project": project}
            try:
                client.post("/webhook", json=body)
            except httpx.TransportError:  # Label Studio does not send it again either
                unanswered += 1
                time.sleep(0.01)
    return killer.killed, unanswered
