"""The ordinary case of a larger installation: two servers and two workers on one Redis and one store."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from backend.jobs.queue import open_queue
from tests.e2e.backend_process import BackendProcess, OwnRedis
from tests.e2e.ticket_labelling import Labelling, connected
from tests.e2e.watching import VersionWatch, require_consistent_history
from tests.label_studio import LabelStudioInstance
from tests.object_storage import ObjectStorage, serve_objects
from tests.processes import eventually, free_port, within

pytestmark = pytest.mark.label_studio

WORKERS = ("one", "another")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStorage]:
    """An S3 server whose credentials this process has, too, as everybody has who uses the store."""
    with (
        serve_objects(tmp_path_factory.mktemp("objects"), alone=True) as storage,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in storage.environment.items():
            patch.setenv(name, value)
        (storage.folder / "store").mkdir()
        yield storage


@pytest.fixture(scope="module", params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of an empty store: a folder that all share, or a bucket."""
    if request.param == "folder":
        return str(tmp_path_factory.mktemp("store"))
    request.getfixturevalue("storage")
    return "s3://store/prelabel"


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, label_studio: LabelStudioInstance, store: str
) -> Iterator[tuple[BackendProcess, str]]:
    """The backend that Label Studio calls, and the address of the other server."""
    redis = OwnRedis(tmp_path_factory.mktemp("own-redis"))
    settings = {"store_url": store, "reconcile_interval": 3600.0, "holdout_fraction": 0.0}
    backend = BackendProcess(tmp_path_factory.mktemp("cluster"), label_studio, redis, settings)
    port = free_port()
    try:
        backend.start("serve")
        backend.start("serve", "--port", str(port))
        for name in WORKERS:
            backend.start("worker", "--name", name)
        other = f"http://127.0.0.1:{port}"
        eventually(backend.healthy, "the server to answer /health", 90.0)
        eventually(lambda: _answers(other), "the other server to answer /health", 90.0)
        for name in WORKERS:
            eventually(lambda name=name: backend.worker_pid(name), f"the worker {name} to register", 120.0)  # type: ignore[misc]
        yield backend, other
    finally:
        backend.close()
        redis.close()


@pytest.fixture(scope="module")
def labelling(cluster: tuple[BackendProcess, str], label_studio: LabelStudioInstance) -> Labelling:
    return connected(cluster[0], label_studio, 16)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=2.0).is_success
    except httpx.TransportError:
        return False


def _served(address: str, uid: str, task: dict[str, object]) -> str:
    answer = httpx.post(f"{address}/predict", json={"tasks": [task], "project": uid}, timeout=30.0)
    return str(answer.raise_for_status().json()["model_version"])


def test_every_server_serves_a_new_version_within_a_second(
    cluster: tuple[BackendProcess, str], labelling: Labelling
) -> None:
    backend, other = cluster
    task = labelling.project.task(labelling.tasks[-1])
    versions = backend.collaborators.versions
    for address in (backend.url, other):
        assert _served(address, labelling.uid, task) == backend.version(labelling.uid)
    for _ in range(2):
        backend.wait_until_idle(labelling.uid)
        before = versions.current_name(labelling.uid)
        labelling.label()
        eventually(lambda before=before: versions.current_name(labelling.uid) != before, "a new version", 60.0, 0.02)  # type: ignore[misc]
        published, new = time.monotonic(), versions.current_name(labelling.uid)
        for address in (backend.url, other):
            eventually(lambda address=address, new=new: _served(address, labelling.uid, task) == new, new, 30.0, 0.02)  # type: ignore[misc]
        assert time.monotonic() - published < within(1.0)


def test_two_workers_on_one_project_publish_each_label_once(
    cluster: tuple[BackendProcess, str], labelling: Labelling
) -> None:
    """As when a worker that was taken for dead goes on: both run the project's training at the same time."""
    backend, _ = cluster
    backend.wait_until_idle(labelling.uid)
    queue = open_queue("train", backend.collaborators.redis)
    with VersionWatch(backend, labelling.uid):
        for round_ in range(2):
            task = labelling.label(2)
            again = queue.enqueue_call(
                "backend.jobs.train.run", args=(labelling.uid,), job_id=f"train-{'9' * 9}_{round_}", timeout=120
            )
            labelling.wait_until_learnt(task)
            eventually(lambda again=again: again.is_finished or again.is_failed, "the second training to end", 60.0)  # type: ignore[misc]
            assert again.is_finished, again.exc_info
            backend.wait_until_idle(labelling.uid)
    assert labelling.learnt() == set(labelling.tasks[: labelling.done])
    require_consistent_history(backend, labelling.uid)
