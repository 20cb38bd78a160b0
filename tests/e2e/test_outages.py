"""Whatever goes wrong around it, no label is lost and no half version served: a backend behind a Label Studio that
misbehaves, on a disk that is full, with a clock that is set back."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backend.demo.samples import TICKETS_CONFIG
from backend.jobs.queue import job_id
from backend.jobs.view import JobKind, JobState
from backend.projects.identity import Uid
from tests.e2e.backend_process import BackendProcess, OwnRedis
from tests.e2e.outages import SLOW, Clock, Fault, Proxy, fill_disk_for, in_front_of
from tests.e2e.storm import EVERY, rage
from tests.e2e.ticket_labelling import SAMPLES, Labelling, connected
from tests.e2e.watching import PredictLoad, VersionWatch, require_consistent_history
from tests.label_studio import LabelStudioInstance
from tests.processes import eventually, kill

pytestmark = pytest.mark.label_studio

HOUR = 3600


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path_factory.mktemp("own-redis"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def proxied(label_studio: LabelStudioInstance) -> Iterator[tuple[Proxy, str]]:
    with in_front_of(label_studio.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(proxied: tuple[Proxy, str]) -> Proxy:
    return proxied[0]


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def backend(
    tmp_path_factory: pytest.TempPathFactory,
    label_studio: LabelStudioInstance,
    proxied: tuple[Proxy, str],
    redis: OwnRedis,
    clock: Clock,
) -> Iterator[BackendProcess]:
    """`prelabel up` with two servers, a proxy before its Label Studio, and a clock of its own."""
    settings = {"servers": 2, "reconcile_interval": 3600.0, "holdout_fraction": 0.0, "retrain_always_below": 100_000}
    folder = tmp_path_factory.mktemp("backend")
    process = BackendProcess(
        folder, label_studio, redis, settings, studio_url=proxied[1], environment=clock.environment
    )
    try:
        process.up()
        yield process
    finally:
        process.close()


@pytest.fixture(scope="module")
def shared(backend: BackendProcess, label_studio: LabelStudioInstance) -> Labelling:
    return connected(backend, label_studio, 40)


@pytest.fixture
def labelling(backend: BackendProcess, shared: Labelling) -> Labelling:
    """The tests' project, at rest, with both servers and the worker there."""
    backend.wait_until_idle(shared.uid)
    eventually(lambda: len(backend.server_pids()) == 2, "two servers", 60.0)
    eventually(backend.worker_pid, "the worker", 60.0)
    return shared


def require_everything_learnt(backend: BackendProcess, labelling: Labelling) -> None:
    """Once it is at rest: all labels are in the current version's snapshot, and every task has one prediction."""
    backend.wait_until_idle(labelling.uid)
    assert labelling.learnt() == set(labelling.tasks[: labelling.done])
    require_consistent_history(backend, labelling.uid)
    rows = [row["task"] for row in labelling.project.predictions()]
    assert len(rows) == len(set(rows)), "a task has two predictions of ours"


@pytest.mark.parametrize(
    ("fault", "lasting"),
    [
        *(
            pytest.param(
                fault,
                SLOW if fault is Fault.SLOW else 0.5,
                id=fault.value,
                marks=pytest.mark.soak if fault in (Fault.BUSY, Fault.BROKEN) else (),  # by turns, they are one test
            )
            for fault in Fault
        ),
        pytest.param(Fault.SLOW, 10.0, id="slow for ten seconds", marks=pytest.mark.soak),
        pytest.param(Fault.DOWN, 60.0, id="down for a minute", marks=pytest.mark.soak),
    ],
)
def test_label_studio_that_misbehaves_costs_time_alone(
    backend: BackendProcess, labelling: Labelling, proxy: Proxy, fault: Fault, lasting: float
) -> None:
    open_task = labelling.project.task(labelling.tasks[-1])
    with VersionWatch(backend, labelling.uid):
        with proxy.misbehaving(fault, lasting):
            task = labelling.label()
            eventually(lambda: proxy.hits > (fault is not Fault.SLOW), "requests that fail", 30.0)
            assert backend.predict(labelling.uid, [open_task])["results"][0]["result"]
            task = labelling.label()
            time.sleep(lasting if fault is not Fault.SLOW else 0.5)
        labelling.wait_until_learnt(task, 60.0 + 2 * lasting)
        require_everything_learnt(backend, labelling)


@pytest.mark.parametrize("stage", ["train", "publish"])
def test_full_disk_ends_the_training_and_the_next_attempt_succeeds(
    backend: BackendProcess, labelling: Labelling, stage: str
) -> None:
    names = backend.collaborators.versions.names
    before = len(names(labelling.uid))
    with VersionWatch(backend, labelling.uid):
        task = labelling.label()
        horse = backend.catch(labelling.uid, ("features", "train") if stage == "train" else (stage,))
        fill_disk_for(horse)
        os.kill(horse, signal.SIGCONT)
        labelling.wait_until_learnt(task)
        require_everything_learnt(backend, labelling)
    log = backend.collaborators.queue.log(job_id(JobKind.TRAIN, labelling.uid))
    assert any("failed" in line for line in log), log
    assert len(names(labelling.uid)) == before + 1, "the same labels were published twice"


def test_servers_killed_under_load_lose_no_label_and_serve_no_half_version(
    backend: BackendProcess, labelling: Labelling
) -> None:
    open_task = labelling.project.task(labelling.tasks[-1])
    servers = backend.server_pids()
    with (
        VersionWatch(backend, labelling.uid),
        PredictLoad(backend, labelling.uid, [open_task], connections=4, pause=0.01) as load,
    ):
        task = labelling.label()
        for server in servers:
            before = len(load.asked)
            eventually(lambda before=before: len(load.asked) > before + 20, "twenty answers", 30.0)  # type: ignore[misc]
            kill(server)
            task = labelling.label()
        eventually(lambda: len(backend.server_pids()) == 2, "two servers", 60.0)
        task = labelling.label()
        labelling.wait_until_learnt(task)
        require_everything_learnt(backend, labelling)
    # A connection whose process is gone breaks; whoever connects anew is answered by another.
    assert len(load.problems) <= load.connections * len(servers), load.problems[:3]


def test_damaged_model_is_served_to_nobody_and_made_anew(backend: BackendProcess, labelling: Labelling) -> None:
    open_task = labelling.project.task(labelling.tasks[-1])
    *_, earlier, current = backend.collaborators.versions.names(labelling.uid)
    manifest = backend.collaborators.versions.get(labelling.uid, current)
    (part,) = manifest.controls.values()
    (model,) = (Path(backend.settings.store_address) / "artifacts" / part.artifact).glob("*.safetensors")
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        for server in backend.server_pids():  # what they hold in memory is not damaged
            kill(server)
        answer = backend.predict(labelling.uid, [open_task])
        assert answer["model_version"] == earlier, "of a damaged version nothing may be served"
        assert answer["results"][0]["result"]
        labelling.wait_until_learnt(labelling.label())
        backend.wait_until_idle(labelling.uid)
        assert backend.predict(labelling.uid, [open_task])["model_version"] not in (earlier, current)
    finally:
        model.write_bytes(whole)
    require_everything_learnt(backend, labelling)


def test_clock_that_is_set_back_delays_nothing(backend: BackendProcess, labelling: Labelling, clock: Clock) -> None:
    with VersionWatch(backend, labelling.uid):
        task = labelling.label()
        horse = backend.catch(labelling.uid, ("features", "train"))
        clock.set(-HOUR)
        time.sleep(1.5)  # until every process has seen it
        os.kill(horse, signal.SIGCONT)
        labelling.wait_until_learnt(task)
        backend.wait_until_idle(labelling.uid)
        task = labelling.label()
        kill(backend.catch(labelling.uid, ("features", "train")))
        labelling.wait_until_learnt(task)
        require_everything_learnt(backend, labelling)
        created = backend.collaborators.versions.get(labelling.uid, backend.version(labelling.uid)).created
        assert created < time.time() - HOUR / 2, "the backend's clock was not set back"
        clock.set(0)
        time.sleep(1.5)
        labelling.wait_until_learnt(labelling.label())
        require_everything_learnt(backend, labelling)


def test_project_deleted_during_its_training_is_no_failure(
    backend: BackendProcess, label_studio: LabelStudioInstance
) -> None:
    labelling = connected(backend, label_studio, 12)
    backend.wait_until_idle(labelling.uid)
    with VersionWatch(backend, labelling.uid):
        labelling.label()
        horse = backend.catch(labelling.uid, ("features", "train"))
        label_studio.call("DELETE", f"/api/projects/{labelling.project.id}/")
        os.kill(horse, signal.SIGCONT)
        backend.wait_until_idle(labelling.uid)
    job = backend.training(labelling.uid)
    assert job is not None
    assert job.state is JobState.FINISHED, job
    assert "is gone" in (backend.collaborators.queue.said(job.id) or "")


def test_project_made_anew_under_the_same_id_begins_anew(
    backend: BackendProcess, label_studio: LabelStudioInstance
) -> None:
    """As after Label Studio was set up anew: the id is the old one, the rest is not. A copy has the models alone."""
    old = connected(backend, label_studio, 8)
    backend.wait_until_idle(old.uid)
    last, learnt = backend.version(old.uid), old.learnt()
    project = old.project
    project.act("delete_tasks", old.tasks)
    database = label_studio.process.settings.data_dir / "label_studio.sqlite3"
    with closing(sqlite3.connect(database, timeout=30.0)) as connection, connection:
        connection.execute("UPDATE project SET created_at = '2026-01-02 03:04:05' WHERE id = ?", (project.id,))
    tasks = project.import_texts([sample.text for sample in SAMPLES[:8]])
    uid = backend.connect(type(project)(label_studio, project.id, project.get()))
    assert uid == Uid.from_project(project.id, "2026-01-02T03:04:05Z") != old.uid
    assert backend.predict(uid, [project.task(tasks[0])])["model_version"] == "v0"
    new = Labelling(backend, project, uid, tasks)
    new.wait_until_learnt(new.label(2))
    backend.wait_until_idle(uid)
    assert new.learnt() == set(tasks[:2])
    assert (backend.version(old.uid), old.learnt()) == (last, learnt), "the old project was changed"

    copy = label_studio.new_project(TICKETS_CONFIG)
    copied = Labelling(backend, copy, backend.connect(copy), copy.import_texts([one.text for one in SAMPLES[:8]]))
    body = {"project_src": uid, "project_dst": copied.uid}
    assert backend.client.post("/duplicate_model", json=body).is_success
    first = backend.version(copied.uid)
    assert backend.predict(copied.uid, [copy.task(copied.tasks[0])])["model_version"] == first != "v0"
    copied.wait_until_learnt(copied.label(2))
    assert copied.learnt() == set(copied.tasks[:2])
    assert new.learnt() == set(tasks[:2])


@pytest.mark.parametrize("events", [1000, pytest.param(10_000, marks=pytest.mark.soak)])
def test_no_event_is_needed_and_no_kill_loses_a_label(
    backend: BackendProcess, label_studio: LabelStudioInstance, events: int
) -> None:
    labelling = connected(backend, label_studio, events // EVERY + 10)
    with VersionWatch(backend, labelling.uid):
        killed, unanswered = rage(backend, labelling, events, seed=events)
        eventually(lambda: len(backend.server_pids()) == 2, "two servers", 60.0)
        eventually(backend.worker_pid, "the worker", 60.0)
        labelling.wait_until_learnt(labelling.label())
        backend.wait_until_idle(labelling.uid, 300.0)
    print(f"{events} events, {unanswered} without an answer; killed: {', '.join(killed)}")
    assert killed
    assert labelling.learnt() == set(labelling.tasks[: labelling.done])
    require_consistent_history(backend, labelling.uid)
