"""A worker that nobody watches, as on another machine, and what it was doing when it was killed. Takes minutes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from backend.demo.samples import TICKETS_CONFIG, tickets
from tests.e2e.backend_process import BackendProcess, OwnRedis
from tests.e2e.watching import VersionWatch, require_consistent_history
from tests.label_studio import LabelStudioInstance
from tests.processes import children, eventually, is_alive, kill, parent, within

pytestmark = [pytest.mark.label_studio, pytest.mark.soak]

NAMES = ("one", "another")


def test_job_of_a_killed_worker_is_run_by_another_within_two_minutes(
    tmp_path: Path, label_studio: LabelStudioInstance
) -> None:
    (tmp_path / "backend").mkdir()
    redis = OwnRedis(tmp_path / "redis")
    backend = BackendProcess(tmp_path / "backend", label_studio, redis, {"reconcile_interval": 3600.0})
    try:
        backend.start("serve")
        for name in NAMES:
            backend.start("worker", "--name", name)
        eventually(backend.healthy, "the server to answer /health", 90.0)
        for name in NAMES:
            eventually(lambda name=name: backend.worker_pid(name), f"the worker {name} to register", 120.0)  # type: ignore[misc]
        samples = list(tickets(20))
        project = label_studio.new_project(TICKETS_CONFIG)
        tasks = project.import_texts([sample.text for sample in samples])
        uid = backend.connect(project)
        with VersionWatch(backend, uid):
            project.annotate(tasks[0], samples[0].topic)
            backend.wait_for_version(uid, 1)
            backend.wait_until_idle(uid)
            project.annotate(tasks[1], samples[1].topic)
            horse = backend.catch(uid, ("features", "train"), names=NAMES)
            whole = parent(parent(horse))
            family = [whole, *children(whole), horse]
            killed = time.monotonic()
            kill(whole)
            eventually(lambda: not any(map(is_alive, family)), "the worker's family to be gone", 5.0)
            backend.wait_for_version(uid, 2, 300.0)
            took = time.monotonic() - killed
            assert took < within(120.0)
            print(f"the other worker had it trained after {took:.0f} s")
            backend.wait_until_idle(uid)
        assert backend.version(uid) == "v2"
        require_consistent_history(backend, uid)
    finally:
        backend.close()
        redis.close()
