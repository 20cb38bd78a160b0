"""A real worker beside the real server, and a real Label Studio whose projects it learns."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from backend.jobs.view import JobState, JobView
from backend.projects.identity import Uid
from backend.settings import Settings
from backend.store.manifest import Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from backend.worker import run_worker
from tests.backend.bad_input.serving import Backend, serving
from tests.label_studio import LabelStudioInstance, TestProject


def work(settings: dict[str, Any]) -> None:
    """The worker process."""
    run_worker(Settings(**settings | {"redis_url": SecretStr(settings["redis_url"])}), name="bad-input")


@dataclass(frozen=True)
class Learning:
    """Server, worker and Label Studio."""

    backend: Backend
    studio: LabelStudioInstance
    worker: SpawnProcess

    @property
    def versions(self) -> Versions:
        return Versions(self.store)

    @property
    def store(self) -> ObjectStore:
        return ObjectStore(self.backend.services.settings.store_address)

    def project(self, config: str) -> TestProject:
        """A new project that is set up here, as Label Studio does when the backend is added."""
        project = self.studio.new_project(config)
        body = {"project": uid_of(project), "schema": project.get()["label_config"], "hostname": self.studio.url}
        assert self.backend.post("/setup", body).json() == {"model_version": "v0"}
        return project

    def event(self, project: TestProject, action: str) -> dict[str, Any]:
        """Tell the server, with the project as Label Studio sends it."""
        answer = self.backend.post("/webhook", {"action": action, "project": project.get()})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def train(self, project: TestProject) -> JobView:
        """Press Start Training and wait until all work on the project is done; the training."""
        job = self.event(project, "START_TRAINING")["job"]
        self.settle(project)
        view = self.backend.services.queue.job(job)
        assert view.state is JobState.FINISHED, f"{view.state.value}: {view.error}\n{view.traceback}"
        return view

    def settle(self, project: TestProject) -> None:
        """Wait until nothing about the project is queued, running, or waiting for its next attempt."""
        uid, queue = uid_of(project), self.backend.services.queue

        def at_rest() -> bool:
            assert self.worker.is_alive(), "the worker has ended"
            jobs = queue.jobs(uid)
            failed = [job for job in jobs if job.error is not None]
            assert not failed, f"a job failed: {failed[0].error}\n{failed[0].traceback}"
            return uid not in queue.due() and not any(job.state.alive for job in jobs)

        until(at_rest, lambda: f"the work on {uid} to end; due: {queue.due()}; jobs: {queue.jobs(uid)}")

    def current(self, project: TestProject) -> Manifest | None:
        return self.versions.current(uid_of(project))


def until(condition: Callable[[], bool], what: Callable[[], str], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what()}"
        time.sleep(0.1)


def uid_of(project: TestProject) -> str:
    return Uid.from_project(project.id, project.created["created_at"])


@contextmanager
def learning(folder: Path, redis_url: str, studio: LabelStudioInstance) -> Iterator[Learning]:
    """All of it; the worker ends with the block."""
    given = {"label_studio_url": studio.url, "label_studio_api_key": studio.api_key, "torch_threads": 1}
    settings = {"data_dir": folder / "data", "redis_url": redis_url, "allowed_hosts": ("127.0.0.1",), **given}
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(settings,))
    worker.start()
    try:
        with serving(folder, None, redis_url, **given) as backend:
            yield Learning(backend, studio, worker)
    finally:
        worker.terminate()
        worker.join(30)
        worker.kill()
        worker.join()
