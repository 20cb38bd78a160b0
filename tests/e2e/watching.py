"""What is looked at all the time while processes are hit: versions, jobs, and the answers to `/predict`."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx

from backend.errors import QueueUnavailable
from backend.projects.identity import version_number
from backend.store.ledger import Ledger
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from tests.e2e.backend_process import BackendProcess

Self = TypeVar("Self", bound="Watching")


class Watching:
    """A thread that looks again and again until the block ends; what it found wrong fails the test there."""

    def __init__(self, look: Callable[[], None], every: float) -> None:
        self._look = look
        self._every = every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.wrong: BaseException | None = None

    def __enter__(self: Self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(30.0)
        self.close()
        if error is None and self.wrong is not None:
            raise self.wrong

    def close(self) -> None:
        """Called once the thread has ended."""

    def _run(self) -> None:
        try:
            while not self._end.wait(self._every):
                self._look()
        except Exception as error:  # noqa: BLE001 it is raised where the test waits
            self.wrong = error


class VersionWatch(Watching):
    """Nobody may ever see a version that is not complete, or one that goes back, in the store or at `/versions`."""

    def __init__(self, backend: BackendProcess, uid: str) -> None:
        super().__init__(self._check, 0.02)
        self._uid = uid
        self._backend = backend
        store = ObjectStore(backend.settings.store_address)
        self._versions = Versions(store)
        self._artifacts = backend.collaborators.artifacts
        self._complete: set[str] = set()
        self._seen: list[str] = []
        self._client = httpx.Client(base_url=backend.url, timeout=1.0)
        self._asked = 0.0
        self.runs: set[datetime] = set()
        """When each run of the training job was enqueued, the one before this watch left out."""
        before = backend.training(uid)
        self._before = before.enqueued_at if before else None

    def close(self) -> None:
        self._client.close()

    def _check(self) -> None:
        with suppress(QueueUnavailable):  # some tests take Redis away
            job = self._backend.training(self._uid)
            if job is not None and job.enqueued_at is not None and job.enqueued_at != self._before:
                self.runs.add(job.enqueued_at)
        names = self._versions.names(self._uid)
        assert names[: len(self._seen)] == self._seen, f"{self._seen} became {names}"
        self._seen = names
        current = self._versions.current_name(self._uid)
        assert not names or version_number(current) >= version_number(names[-1]), f"{current} of {names}"
        for name in {*names, current} - self._complete - {"v0"}:
            self._require_complete(name)
        self._ask()

    def _require_complete(self, name: str) -> None:
        manifest = self._versions.get(self._uid, name)
        assert manifest.controls, f"{name} serves nothing"
        for part in manifest.controls.values():
            folder = self._artifacts.fetch(part.artifact)  # raises where a file is missing or is not what it says
            assert list(folder.iterdir()), f"{name} names an empty artifact"
        self._complete.add(name)

    def _ask(self) -> None:
        """The same question over HTTP, some times a second; a server that is being started again need not answer."""
        if time.monotonic() - self._asked < 0.1:
            return
        self._asked = time.monotonic()
        try:
            answer = self._client.get("/versions", params={"project": self._uid})
        except httpx.TransportError:
            return
        assert answer.status_code == 200, answer.text
        for name in set(answer.json()["versions"]) - self._complete:
            self._require_complete(name)


def require_consistent_history(backend: BackendProcess, uid: str) -> None:
    """Each version was published once: fences grow, names do not repeat, and the ledger tells of each at most once."""
    store = ObjectStore(backend.settings.store_address)
    versions = Versions(store)
    manifests = [versions.get(uid, name) for name in versions.names(uid)]
    fences = [manifest.fence for manifest in manifests]
    assert fences == sorted(set(fences)), f"versions share a fence, or one has a lower: {fences}"
    parents = [manifest.parent for manifest in manifests]
    assert parents == [None, *(manifest.name for manifest in manifests[:-1])], parents
    told = [str(event.detail["version"]) for event in Ledger(store).events(uid, "publish")]
    assert len(told) == len(set(told)), f"published twice: {told}"
    snapshots = [manifest.snapshot for manifest in manifests]
    assert len(snapshots) == len(set(snapshots)), "two versions learnt from the same labels"


@dataclass(frozen=True)
class Asked:
    """One `/predict`: when it was sent and answered (monotonic seconds), by which server, and the version it named."""

    sent: float
    answered: float
    server: int | None
    version: str | None
    problem: str = ""


@dataclass
class PredictLoad:
    """Threads that ask `/predict` over connections of their own as fast as it answers. Use as a context manager."""

    backend: BackendProcess
    uid: str
    tasks: list[dict[str, Any]]
    connections: int = 4
    pause: float = 0.0
    servers: list[int] = field(default_factory=list)
    """Processes that answer, each of which is to get its share of the connections."""
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> PredictLoad:
        config = self.backend.collaborators.records.get(self.uid).label_config
        self._body = json.dumps({"tasks": self.tasks, "project": self.uid, "label_config": config})
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(self.connections)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60.0)

    @property
    def problems(self) -> list[Asked]:
        return [one for one in self.asked if one.problem]

    def _run(self, number: int) -> None:
        wanted = self.servers[number % len(self.servers)] if self.servers else None
        connection: http.client.HTTPConnection | None = None
        server: int | None = None
        while not self._end.wait(self.pause):
            sent = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.backend.settings.port, timeout=30.0)
                    connection.connect()
                    server = None
                version, problem = self._ask(connection), ""
                # Which process has accepted the connection is known for certain once it has answered.
                server = server or server_of(connection, self.servers)
                if server != wanted:  # it is the system that shares connections out: try another one
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                version, problem = None, repr(error)
            self.asked.append(Asked(sent, time.monotonic(), server, version, problem))
            if problem and connection is not None:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        connection.request("POST", "/predict", self._body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise http.client.HTTPException(f"{answer.status} {text}")
        found = json.loads(text)
        assert len(found["results"]) == len(self.tasks), text
        return str(found["model_version"])


def server_of(connection: http.client.HTTPConnection, servers: list[int]) -> int | None:
    """The process at the other end of a connection to this machine."""
    port = connection.sock.getsockname()[1]
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    inodes = {row[9] for row in rows if int(row[2].rpartition(":")[2], 16) == port}
    return next((pid for pid in servers if inodes & _sockets(pid)), None)


def _sockets(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found
