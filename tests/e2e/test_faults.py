"""What is killed, held up or taken away costs time and nothing else: real processes, a real Label Studio and Redis."""

from __future__ import annotations

import io
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from backend.jobs.view import JobState
from backend.projects.identity import version_number
from backend.serving.swap import live_servers
from backend.status_report import watch_status
from tests.e2e.backend_process import BackendProcess, OwnRedis
from tests.e2e.ticket_labelling import Labelling, connected
from tests.e2e.watching import PredictLoad, VersionWatch, require_consistent_history
from tests.label_studio import LabelStudioInstance
from tests.processes import children, eventually, is_alive, kill, parent, within

pytestmark = pytest.mark.label_studio


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path_factory.mktemp("own-redis"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def backend(
    tmp_path_factory: pytest.TempPathFactory, label_studio: LabelStudioInstance, redis: OwnRedis
) -> Iterator[BackendProcess]:
    """`prelabel up` with two servers.

    Its reconcile is far away, so that what is learnt was found by other means; every label trains, and at once.
    """
    settings = {"servers": 2, "reconcile_interval": 3600.0, "holdout_fraction": 0.0, "retrain_always_below": 1000}
    process = BackendProcess(tmp_path_factory.mktemp("backend"), label_studio, redis, settings)
    try:
        process.up()
        yield process
    finally:
        process.close()


@pytest.fixture(scope="module")
def shared(backend: BackendProcess, label_studio: LabelStudioInstance) -> Labelling:
    return connected(backend, label_studio)


@pytest.fixture
def labelling(backend: BackendProcess, shared: Labelling) -> Iterator[Labelling]:
    """The tests' project, at rest, with both servers and the worker there. Whatever a test does, nobody ever sees half
    a version, and at rest again the version has learnt from every label."""
    backend.wait_until_idle(shared.uid)
    eventually(lambda: len(backend.server_pids()) == 2, "two servers", 60.0)
    eventually(backend.worker_pid, "the worker", 60.0)
    with VersionWatch(backend, shared.uid):
        yield shared
        backend.wait_until_idle(shared.uid)
        assert shared.learnt() == set(shared.tasks[: shared.done])


def test_label_submitted_while_a_training_runs_is_in_the_next_version(
    backend: BackendProcess, labelling: Labelling
) -> None:
    before = labelling.version
    with VersionWatch(backend, labelling.uid) as watch:
        during = labelling.label()
        horse = backend.catch(labelling.uid, ("features", "train"))  # the annotations are read by then
        late = labelling.label(3)
        os.kill(horse, signal.SIGCONT)
        labelling.wait_until_learnt(late)
        backend.wait_until_idle(labelling.uid)
    assert labelling.version == before + 2, "one training for what came before, and exactly one more for the rest"
    assert len(watch.runs) == 2, f"trainings were enqueued at {sorted(watch.runs)}"
    assert during in labelling.learnt(f"v{before + 1}")
    assert late not in labelling.learnt(f"v{before + 1}")
    assert labelling.learnt() == set(labelling.tasks[: labelling.done])
    require_consistent_history(backend, labelling.uid)


@pytest.mark.parametrize("stage", ["sync", "train", "evaluate", "publish", "refresh"])
def test_killed_work_horse_runs_again_within_five_seconds(
    backend: BackendProcess, labelling: Labelling, stage: str
) -> None:
    before = backend.collaborators.versions.names(labelling.uid)
    with VersionWatch(backend, labelling.uid):
        task = labelling.label()
        horse = backend.catch(labelling.uid, ("features", "train") if stage == "train" else (stage,))
        killed = time.monotonic()
        kill(horse)
        again = eventually(backend.horse_pid, "another work horse", 20.0, 0.01)
        took = time.monotonic() - killed
        assert took < within(5.0)
        assert again != horse
        labelling.wait_until_learnt(task)
        backend.wait_until_idle(labelling.uid)
    job = backend.training(labelling.uid)
    assert job is not None
    assert job.state is JobState.FINISHED
    # Numbers may be left out: a name that a version was given before it was cut short is not given to another.
    published = set(backend.collaborators.versions.names(labelling.uid)) - set(before)
    assert len(published) == 1, f"the same labels were published twice: {published}"
    require_consistent_history(backend, labelling.uid)
    assert labelling.project.get()["model_version"] == backend.version(labelling.uid)


def test_killed_worker_runs_its_job_again_within_twenty_seconds(backend: BackendProcess, labelling: Labelling) -> None:
    before = labelling.version
    with VersionWatch(backend, labelling.uid):
        task = labelling.label()
        horse = backend.catch(labelling.uid, ("features", "train"))
        taker = backend.worker_pid()
        assert taker is not None
        whole = parent(taker)
        family = [whole, *children(whole), horse]
        killed = time.monotonic()
        kill(whole)
        eventually(lambda: not any(map(is_alive, family)), f"the worker's family {family} to be gone", 5.0, 0.01)
        again = eventually(backend.horse_pid, lambda: f"another work horse: {backend.log()[-2000:]}", 60.0, 0.01)
        took = time.monotonic() - killed
        assert took < within(20.0)
        assert again != horse
        labelling.wait_until_learnt(task)
        backend.wait_until_idle(labelling.uid)
    assert labelling.version == before + 1
    require_consistent_history(backend, labelling.uid)


def test_killed_server_comes_back_with_the_last_version(backend: BackendProcess, labelling: Labelling) -> None:
    version, task = backend.version(labelling.uid), labelling.project.task(labelling.tasks[-1])
    assert backend.predict(labelling.uid, [task])["model_version"] == version
    servers = backend.server_pids()
    for pid in servers:
        kill(pid)
    answer = backend.predict(labelling.uid, [task])
    assert answer["model_version"] == version
    assert answer["results"][0]["result"]
    eventually(lambda: len(backend.server_pids()) == 2, "two servers", 30.0)
    assert not set(servers) & set(backend.server_pids())


def test_label_submitted_while_the_servers_are_away_is_learnt_when_they_are_back(
    backend: BackendProcess, labelling: Labelling
) -> None:
    for pid in backend.server_pids():
        os.kill(pid, signal.SIGSTOP)  # no webhook is taken, and none comes twice
    task = labelling.label()
    for pid in backend.server_pids():
        kill(pid)
    labelling.wait_until_learnt(task)


@pytest.mark.parametrize("forgets", [False, True], ids=["with its log", "with nothing"])
def test_what_happens_while_redis_is_away_is_trained_after(
    backend: BackendProcess, labelling: Labelling, redis: OwnRedis, forgets: bool
) -> None:
    task = labelling.project.task(labelling.tasks[-1])
    with PredictLoad(backend, labelling.uid, [task], connections=2, pause=0.1) as load:
        redis.kill()
        labelled = labelling.label(2)
        away = len(load.asked)
        eventually(lambda: len(load.asked) >= away + 10, "answers while Redis is away")
        if forgets:
            redis.forget()
        redis.start()
        labelling.wait_until_learnt(labelled)
        backend.wait_until_idle(labelling.uid)
    assert not load.problems
    require_consistent_history(backend, labelling.uid)


@pytest.mark.parametrize("forgets", [False, True], ids=["with its log", "with nothing"])
def test_redis_that_dies_under_a_training_loses_no_label(
    backend: BackendProcess, labelling: Labelling, redis: OwnRedis, forgets: bool
) -> None:
    with VersionWatch(backend, labelling.uid):
        task = labelling.label()
        horse = backend.catch(labelling.uid, ("features", "train"))
        redis.kill()
        if forgets:
            redis.forget()
        redis.start()
        os.kill(horse, signal.SIGCONT)
        labelling.wait_until_learnt(task)
        labelling.wait_until_learnt(labelling.label())
        backend.wait_until_idle(labelling.uid)
    require_consistent_history(backend, labelling.uid)


def test_redis_that_hangs_for_longer_than_a_lease_loses_no_label(
    backend: BackendProcess, labelling: Labelling, redis: OwnRedis
) -> None:
    """The training's lease runs out, so what it made is dropped, and no server notices that anything was missed."""
    task = labelling.label()
    horse = backend.catch(labelling.uid, ("features", "train"))
    os.kill(redis.pid, signal.SIGSTOP)
    time.sleep(11.0)
    os.kill(redis.pid, signal.SIGCONT)
    os.kill(horse, signal.SIGCONT)
    labelling.wait_until_learnt(task)
    backend.wait_until_idle(labelling.uid)
    require_consistent_history(backend, labelling.uid)


def test_no_server_serves_an_old_version_after_acknowledging_the_new(
    backend: BackendProcess, labelling: Labelling
) -> None:
    eventually(lambda: len(backend.server_pids()) == 2, "two servers", 30.0)
    connection = backend.collaborators.redis
    task = labelling.project.task(labelling.tasks[-1])
    acknowledged: dict[tuple[int, int], float] = {}
    with PredictLoad(backend, labelling.uid, [task], connections=4, pause=0.02, servers=backend.server_pids()) as load:
        eventually(lambda: len({one.server for one in load.asked} - {None}) == 2, "answers of both servers", 30.0)
        for _ in range(2):
            target = labelling.version + 1
            labelled = labelling.label()
            key = f"prelabel:acks:{labelling.uid}:v{target}"
            live = live_servers(connection)

            def all_acknowledged(key: str = key, target: int = target, live: set[str] = live) -> bool:
                names = {name.decode() for name in connection.smembers(key)}  # type: ignore[union-attr]
                for name in names:
                    acknowledged.setdefault((int(name.split(":")[1]), target), time.monotonic())
                return names >= live

            eventually(all_acknowledged, f"every server to acknowledge v{target}", 60.0, 0.001)
            labelling.wait_until_learnt(labelled)
            backend.wait_until_idle(labelling.uid)
    assert not load.problems
    late = [
        (one, target)
        for one in load.asked
        for (server, target), at in acknowledged.items()
        if one.server == server and one.sent > at and version_number(one.version or "v0") < target
    ]
    assert not late, f"{len(late)} of {len(load.asked)} answers were old, the first: {late[0]}"
    assert {server for server, _ in acknowledged} == {one.server for one in load.asked if one.server}
    assert len(acknowledged) == 4


def test_annotation_is_never_refused_while_predictions_are_being_written(
    backend: BackendProcess, labelling: Labelling
) -> None:
    """Everybody's pages were opened before the swaps; each is submitted while the rows under it are overwritten."""
    project, first = labelling.project, labelling.version
    pages = {}
    for task in labelling.tasks[labelling.done : labelling.done + 12]:
        (row,) = project.predictions(task)
        pages[task] = row
    for task, row in pages.items():
        shown = row["result"]
        sent = {"result": shown, "parent_prediction": row["id"], "lead_time": 600.0}
        made = project.annotate(task, **sent)  # any answer but a success fails here
        assert made["parent_prediction"] == row["id"]
        labelling.done += 1
        time.sleep(0.4)
    labelling.wait_until_learnt(max(pages))
    backend.wait_until_idle(labelling.uid)
    assert labelling.version > first + 1, "nothing was published meanwhile"
    judged = {entry.task: entry for entry in backend.collaborators.ledger.judgements(labelling.uid)}
    for task, row in pages.items():
        if row["result"]:
            assert judged[task].version == row["model_version"], "judged by what was not on the page"
            assert judged[task].correct
    rows = [row["task"] for row in project.predictions()]
    assert len(rows) == len(set(rows)), "a task has two predictions of ours"


def test_failing_training_keeps_its_traceback_and_says_why(backend: BackendProcess, labelling: Labelling) -> None:
    head = Path(backend.settings.store_address) / "projects" / labelling.uid / "snapshot.json"
    kept = head.read_bytes()
    head.unlink()
    head.mkdir()  # an object that cannot be read
    try:
        labelling.label()
        job = eventually(
            lambda: (found := backend.training(labelling.uid)) and found.state is JobState.RETRYING and found,
            "a training that failed more than once",
        )
        status = backend.client.get("/", headers={"Accept": "application/json"}).json()
    finally:
        head.rmdir()
        head.write_bytes(kept)
    assert job
    assert "Traceback" in (job.traceback or "")
    assert "Could not read" in (job.error or "")
    said = next(project["errors"] for project in status["projects"] if project["uid"] == labelling.uid)
    assert "Could not read" in said[0]["message"]
    assert "Traceback" not in str(status)
    # Another label does not wait for the attempt after next.
    task = labelling.label()
    eventually(
        lambda: (again := backend.training(labelling.uid)) and again.state is not JobState.RETRYING,
        "a training that does not wait for its next attempt",
        2.0,
    )
    labelling.wait_until_learnt(task)
    backend.wait_until_idle(labelling.uid)
    done = backend.training(labelling.uid)
    assert done is not None
    assert done.error is None


def test_training_is_followed_by_whoever_looks_and_stopped_by_whoever_wants(
    backend: BackendProcess, labelling: Labelling
) -> None:
    version = labelling.version
    labelling.label()
    horse = backend.catch(labelling.uid, ("features", "train"))
    try:
        (job,) = backend.client.get("/api/jobs", params={"project": labelling.uid, "alive": 1}).json()["jobs"]
        assert (job["kind"], job["state"]) == ("train", "started")
        assert job["stage"] in ("features", "train")
        assert 0 < job["fraction"] < 1
        assert job["eta"] > 0
        with backend.client.stream("GET", "/api/jobs/events") as stream:
            said = next(line for line in stream.iter_lines() if line.startswith("data:"))
        assert job["id"] in [one["id"] for one in json.loads(said.removeprefix("data:"))["jobs"]]
        assert any("sync: Reading" in line for line in backend.client.get(f"/api/jobs/{job['id']}").json()["log"])
        console = Console(file=io.StringIO(), width=200)
        watch_status(backend.settings, console, lambda looked: looked < 2)
        assert isinstance(console.file, io.StringIO)
        assert "train started" in console.file.getvalue()
        assert backend.client.post(f"/api/jobs/{job['id']}/cancel").is_success
    finally:
        with suppress(ProcessLookupError):
            os.kill(horse, signal.SIGCONT)
    eventually(lambda: not is_alive(horse), "the training to end", 30.0)
    eventually(lambda: backend.client.get(f"/api/jobs/{job['id']}").json()["state"] == "canceled", "it to be canceled")
    assert labelling.version == version
    labelling.wait_until_learnt(labelling.label())


def test_forgotten_project_stays_forgotten_although_its_training_runs(
    backend: BackendProcess, label_studio: LabelStudioInstance
) -> None:
    labelling = connected(backend, label_studio)
    backend.wait_until_idle(labelling.uid)
    labelling.label()
    horse = backend.catch(labelling.uid, ("features", "train"))
    assert backend.client.post("/delete", json={"project": labelling.uid}).is_success
    with suppress(ProcessLookupError):  # it is gone by now, mostly
        os.kill(horse, signal.SIGCONT)
    eventually(lambda: not is_alive(horse), "the training to end", 30.0)
    backend.wait_until_idle(labelling.uid)
    assert not (Path(backend.settings.store_address) / "projects" / labelling.uid).exists()
