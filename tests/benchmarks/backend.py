"""`prelabel up` as an operator starts it, for a benchmark to measure from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
import redis

from backend.demo.label_studio import free_port
from backend.embedded_redis import running_url
from backend.jobs.connection import open_redis
from tests.benchmarks.machine import descendants
from tests.label_studio import LabelStudioInstance

COMMAND = (sys.executable, "-m", "backend.cli")
START_TIMEOUT = 60.0

T = TypeVar("T")


class Backend:
    """One `prelabel up` with a data folder of its own and the default settings, unless `settings` (environment
    variables) says otherwise; a context manager."""

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data_dir.with_suffix(".log")
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(data_dir), "LANG": "C.UTF-8"}
        self._environment |= settings or {}
        self._http = httpx.Client(base_url=self.url, timeout=100.0)
        self._process: subprocess.Popen[bytes] | None = None
        self.seconds_to_health = float("nan")

    def __enter__(self) -> Backend:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            begun = time.perf_counter()
            self._process = subprocess.Popen(
                [*COMMAND, "up", "--port", str(self.port), "--data-dir", str(self.data_dir)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            until(self._is_up, "the first answer of /health", START_TIMEOUT, interval=0.01)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.seconds_to_health = time.perf_counter() - begun
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)

    def _is_up(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"prelabel up ended. Its log:\n{self.log.read_text(errors='replace')[-3000:]}")
        try:
            return self._http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def connect(self, studio: LabelStudioInstance, *projects: int) -> None:
        """`prelabel connect`. Raises RuntimeError with what it said when a hop fails."""
        options = [option for project in projects for option in ("--project", str(project))]
        address = ["--label-studio-url", studio.url, "--api-key", studio.api_key, "--url", self.url]
        done = subprocess.run(
            [*COMMAND, "connect", *options, *address, "--data-dir", str(self.data_dir)],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"prelabel connect failed:\n{done.stdout}{done.stderr}")

    def post(self, path: str, body: Any) -> Any:
        """The JSON that the backend answers. Raises `httpx.HTTPStatusError`."""
        return self._http.post(path, json=body).raise_for_status().json()

    def status(self) -> Any:
        return self._http.get("/", headers={"Accept": "application/json"}).raise_for_status().json()

    def version(self, uid: str) -> str:
        """The project's current version, `v0` before the first."""
        return str((self.post("/versions", {"project": uid})["versions"] or ["v0"])[-1])

    @property
    def redis(self) -> redis.Redis:
        """A connection to its Redis; close it after use."""
        url = running_url(self.data_dir / "redis")
        if url is None:
            raise RuntimeError("The embedded Redis does not answer.")
        return open_redis(url)

    def is_idle(self) -> bool:
        """Whether no job is queued, running or due."""
        with closing(self.redis) as connection:
            due: Any = connection.zrangebyscore("prelabel:due", "-inf", time.time() + 1)
            queued = [connection.llen(f"rq:queue:{name}") for name in ("train", "background")]
            started = [connection.zcard(f"rq:wip:{name}") for name in ("train", "background")]
        return not due and not any([*queued, *started])

    def learn(self, uid: str) -> None:
        """Have a version that learnt from what is labelled already, and everything at rest."""
        self.post("/train", {"project": uid})
        until(lambda: self.version(uid) != "v0", f"the first version of {uid}", 300.0, interval=0.5)
        self.rest()

    def rest(self, seconds: float = 1.0, timeout: float = 300.0) -> None:
        """Wait until there has been nothing to do for so many seconds."""
        idle_since: float | None = None

        def rested() -> bool:
            nonlocal idle_since
            idle_since = (idle_since or time.monotonic()) if self.is_idle() else None
            return idle_since is not None and time.monotonic() - idle_since >= seconds

        until(rested, "the end of all background work", timeout)

    @property
    def processes(self) -> Processes:
        assert self._process is not None
        children = _children(self._process.pid)
        # /metrics says which process counted.
        (server,) = {int(found) for found in re.findall(r'process="(\d+)"', self._http.get("/metrics").text)}
        # Redis runs another program; whatever else the supervisor forked looks like itself.
        forked = [pid for pid in children if _command(pid) == _command(self._process.pid)]
        (worker,) = (pid for pid in forked if pid != server)
        return Processes(self._process.pid, server, worker)


@dataclass(frozen=True)
class Processes:
    """Process ids. The worker's own children are below it."""

    supervisor: int
    server: int
    worker: int

    @property
    def of_worker(self) -> list[int]:
        return [self.worker, *descendants(self.worker)]

    @property
    def all(self) -> list[int]:
        return [self.supervisor, *descendants(self.supervisor)]


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def until(look: Callable[[], T], what: str, timeout: float = 60.0, interval: float = 0.05) -> T:
    """The first true value of `look`. Raises `TimeoutError` naming `what` was waited for, and what was seen."""
    deadline = time.monotonic() + timeout
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {timeout:g} s for {what}; the last look saw {seen!r}.")
        time.sleep(interval)
