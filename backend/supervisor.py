"""`prelabel up`: Redis, server processes and a worker as children of one process that starts again what dies."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from pydantic import SecretStr

from backend.embedded_redis import EmbeddedRedis
from backend.errors import PrelabelError
from backend.jobs.connection import LONGEST_PAUSE
from backend.parent_death import die_with_parent
from backend.serve import GRACE, run_server
from backend.settings import Settings
from backend.worker import run_worker

log = logging.getLogger(__name__)

INTERVAL = 0.2
SHORT_LIFE = 5.0
"""Seconds; a child that lived no longer counts as one that does not start."""
TOO_MANY = 5
WORKER_GRACE = 2.0
"""Seconds that a job has to finish when everything is stopped; it goes on at the next start."""


class GaveUp(PrelabelError):
    """A child that ends again and again as soon as it is started."""


class Stopped(Exception):
    """Everything is to be stopped: what `Supervisor.check` raises in a start that takes long."""


class Process(Protocol):
    """What a supervisor must be able to do with a child; `subprocess.Popen` can."""

    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class Forked:
    """A child that runs `target`, forked: settings and secrets reach it in memory, not by arguments that `ps` shows."""

    def __init__(self, name: str, target: Callable[[], None]) -> None:
        parent = os.getpid()

        def run() -> None:
            os.setpgid(0, 0)  # out of the terminal's foreground: Ctrl-C is the supervisor's alone
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            die_with_parent(parent, signal.SIGTERM)
            target()

        self._process = multiprocessing.get_context("fork").Process(target=run, name=name)
        self._process.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f"{self._process.name} still runs.")
        return self._process.exitcode


@dataclass
class Child:
    """A process to keep running. `grace`: seconds from SIGTERM to SIGKILL. One that runs `once` may end by itself."""

    name: str
    start: Callable[[], Process]
    grace: float = GRACE + 2.0
    once: bool = False
    process: Process | None = None
    started_at: float = 0.0
    short_lives: int = 0
    not_before: float = 0.0


class Supervisor:
    """Starts `children` in their order, starts again what ends, and stops them in reverse."""

    def __init__(self, children: list[Child]) -> None:
        self._children = children
        self._stopping = False

    def request_stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Have `run` return soon; a signal handler."""
        self._stopping = True

    def check(self) -> None:
        """Raise `Stopped` once a stop was asked for."""
        if self._stopping:
            raise Stopped

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Keep the children running until SIGINT, SIGTERM or SIGHUP; `ready` is called once they are all started.

        Raises `GaveUp` when one cannot be kept running. No child is left in either case.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.request_stop)
        try:
            for child in self._children:
                if not self._stopping:
                    _start(child)
            ready()
            while not self._stopping:
                for child in self._children:
                    _keep(child)
                time.sleep(INTERVAL)
        except Stopped:
            log.info("Stopped while starting.")
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop every child, the last started first."""
        for child in reversed(self._children):
            if child.process is not None:
                _stop(child.process, child.grace)
                child.process = None


def _start(child: Child) -> None:
    child.started_at = time.monotonic()
    child.process = child.start()


def _keep(child: Child) -> None:
    if child.process is None:
        if time.monotonic() >= child.not_before:
            _start(child)
        return
    status = child.process.poll()
    if status is None:
        return
    child.process = None
    if child.once and status == 0:
        child.not_before = math.inf
        return
    short = time.monotonic() - child.started_at < SHORT_LIFE
    child.short_lives = child.short_lives + 1 if short else 0
    if child.once or child.short_lives >= TOO_MANY:
        raise GaveUp(
            f"The {child.name} process ended with exit status {status}, {max(1, child.short_lives)} times in a row. "
            "The log above says why; everything is stopped."
        )
    log.warning("The %s process ended with exit status %d and is started again.", child.name, status)
    child.not_before = time.monotonic() + min(0.1 * 2**child.short_lives - 0.1, LONGEST_PAUSE)


def _stop(process: Process, grace: float) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    deadline = time.monotonic() + grace
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if process.poll() is None:
        process.kill()
        process.wait()


def server_children(settings: Settings, listening: socket.socket) -> list[Child]:
    """One child for each server process; they share the socket."""

    def start() -> Process:
        return Forked("prelabel-server", lambda: run_server(settings, listening))

    return [Child("server" if settings.servers == 1 else f"server {i + 1}", start) for i in range(settings.servers)]


def worker_child(settings: Settings, name: str) -> Child:
    """The worker. Under the same name after a restart: what its forerunner left is its own."""

    def start() -> Process:
        return Forked("prelabel-worker", lambda: run_worker(settings, name=name, grace=WORKER_GRACE))

    return Child("worker", start, grace=WORKER_GRACE + 3.0)


def everything(settings: Settings, listening: socket.socket) -> tuple[list[Child], Settings]:
    """What `prelabel up` runs, in the order of its start, and the settings with the Redis that all of it uses."""
    if settings.redis_url is not None:
        name = f"{socket.gethostname()}-{settings.port}"
        return [*server_children(settings, listening), worker_child(settings, name)], settings
    embedded = EmbeddedRedis(settings.data_dir / "redis")
    settings = settings.model_copy(update={"redis_url": SecretStr(embedded.url)})
    own = Child("Redis", embedded.start, grace=10.0)
    # Nobody else works for a private Redis, so its worker's name need not tell machines or ports apart.
    return [own, *server_children(settings, listening), worker_child(settings, "embedded")], settings
