"""A whole Prelabel as real processes, on a Redis that the test owns: to be watched, and hit where it hurts."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from backend.embedded_redis import EmbeddedRedis
from backend.errors import UnknownJob
from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.jobs.queue import job_id
from backend.jobs.view import JobKind, JobState, JobView
from backend.labelstudio.connect import connect_projects
from backend.parent_death import bound_to_parent
from backend.projects.identity import Uid
from backend.settings import Settings
from backend.worker import worker_names
from tests.label_studio import LabelStudioInstance, TestProject
from tests.processes import children, eventually, free_port, is_alive, stop

ROOT = Path(__file__).parents[2]
QUIETLESS: dict[str, Any] = {"refresh_quiet": 0.2}
"""Everything as people have it, but for a wait that tests would have again and again."""


class OwnRedis:
    """A Redis that a test kills, holds up, and has forget everything. It keeps its address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = EmbeddedRedis(folder)
        self._process = self._server.start()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Lose everything; only while it does not run."""
        for entry in self._folder.iterdir():
            if entry.name.startswith(("appendonly", "dump")):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def start(self) -> None:
        self._process = self._server.start()

    def close(self) -> None:
        self._server.stop()


class BackendProcess:
    """`prelabel up`, or another command, in `folder`. Its children are found by what they say in Redis."""

    def __init__(
        self,
        folder: Path,
        studio: LabelStudioInstance,
        redis: OwnRedis,
        settings: Mapping[str, Any],
        *,
        studio_url: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`studio_url`: where the backend finds `studio` if something stands in between. `environment` is given to
        every process."""
        self.folder = folder
        self.redis = redis
        self.settings = Settings(
            label_studio_url=studio_url or studio.url,
            label_studio_api_key=SecretStr(studio.api_key),
            data_dir=folder,
            redis_url=SecretStr(redis.url),
            port=free_port(),
            **QUIETLESS | settings,
        )
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.collaborators: Collaborators = build_collaborators(self.settings)
        self.client = httpx.Client(base_url=self.url, timeout=30.0)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._more = QUIETLESS | settings
        self._environment = environment or {}
        self._workers: dict[str, int] = {}

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start `prelabel COMMAND`, in a session of its own; its log goes to a file that failing tests show."""
        given = {f"PRELABEL_{name.upper()}": str(value) for name, value in self._more.items()}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PRELABEL_", "LABEL_STUDIO"))},
            **given,
            "PRELABEL_REDIS_URL": self.redis.url,
            "PRELABEL_DATA_DIR": str(self.folder),
            "PRELABEL_PORT": str(self.settings.port),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            **self._environment,
        }
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.cli", *command],
                env=environment,
                stdout=log,
                stderr=log,
                # Not left behind by a run of the tests that is killed. Safe: nothing holds a lock when a test starts.
                preexec_fn=bound_to_parent(),  # noqa: PLW1509
            )
        self._processes.append(process)
        return process

    def up(self) -> None:
        """Start everything and wait until server and workers are there."""
        self.start("up")
        eventually(self.healthy, "the server to answer /health", 90.0)
        eventually(self.worker_pid, "the worker to register", 120.0)

    def healthy(self) -> bool:
        with suppress(httpx.HTTPError):
            return self.client.get("/health", timeout=5.0).status_code == 200
        return False

    def close(self) -> None:
        """Stop what was started, each with all its descendants."""
        for process in self._processes:
            stop(process)
        self.client.close()
        self.collaborators.close()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def connect(self, project: TestProject) -> str:
        """Connect a project as `prelabel connect` does; its uid."""
        failed = [hop for hop in connect_projects(self.settings, [project.id]) if not hop.ok]
        assert not failed, failed
        return Uid.from_project(project.id, project.created["created_at"])

    def worker_pid(self, name: str | None = None) -> int | None:
        """The process that takes trainings; None while there is none.

        It says who it is when it starts; a Redis that has forgotten it is told no more.
        """
        name = name or f"{socket.gethostname()}-{self.settings.port}"
        pid: Any = self.collaborators.redis.hget(f"rq:worker:{worker_names(name)[0]}", "pid")
        known = int(pid) if pid is not None else self._workers.get(name)
        if known is None or not is_alive(known):
            return None
        self._workers[name] = known
        return known

    def horse_pid(self, name: str | None = None) -> int | None:
        """The process that runs a training now."""
        worker = self.worker_pid(name)
        return next(iter(children(worker)), None) if worker else None

    def server_pids(self) -> list[int]:
        names: Any = self.collaborators.redis.zrange("prelabel:servers", 0, -1)
        pids = {int(name.decode().split(":")[1]) for name in names}
        return sorted(pid for pid in pids if is_alive(pid))

    def training(self, uid: str) -> JobView | None:
        """The project's training job; None where the queue knows of none."""
        try:
            return self.collaborators.queue.job(job_id(JobKind.TRAIN, uid))
        except UnknownJob:
            return None

    def version(self, uid: str) -> str:
        """The version that the store's pointer names."""
        return self.collaborators.versions.current_name(uid)

    def predict(self, uid: str, tasks: list[dict[str, Any]]) -> dict[str, Any]:
        """One `/predict` as Label Studio sends it, on a connection of its own; only 200 is no error."""
        config = self.collaborators.records.get(uid).label_config
        body = {"tasks": tasks, "project": uid, "label_config": config}
        answer = httpx.post(f"{self.url}/predict", json=body, timeout=90.0)
        answer.raise_for_status()
        return dict(answer.json())

    def wait_for_version(self, uid: str, number: int, seconds: float = 90.0) -> None:
        """Until version `number`, or a later one, is current."""

        def instead() -> str:
            return f"v{number} of {uid}; the training is {self.training(uid)}; the log ends:\n{self.log()[-3000:]}"

        eventually(lambda: int(self.version(uid)[1:]) >= number, instead, seconds)

    def wait_until_idle(self, uid: str, seconds: float = 120.0) -> None:
        """Until nothing is due, queued or running for the project."""
        queue = self.collaborators.queue

        def idle() -> bool:
            return uid not in queue.due() and not [job for job in queue.jobs(uid) if job.state.alive]

        eventually(idle, lambda: f"project {uid} to come to rest; its jobs are {queue.jobs(uid)}", seconds, 0.1)

    def catch(
        self, uid: str, stages: tuple[str, ...], seconds: float = 60.0, names: Sequence[str | None] = (None,)
    ) -> int:
        """Wait until the project's training reports one of `stages`, and stop its process there; its pid."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.training(uid)
            if job is not None and job.state is JobState.STARTED and job.stage in stages:
                horse = next(filter(None, map(self.horse_pid, names)), None)
                if horse is not None:
                    os.kill(horse, signal.SIGSTOP)
                    return horse
            time.sleep(0.003)
        raise AssertionError(f"Waited {seconds:g} s for a training in {stages}; the job is {self.training(uid)}")
