"""Real workers on a real Redis: what is killed runs again, and bursts coalesce."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from backend.embedded_redis import EmbeddedRedis
from backend.errors import SettingsError
from backend.jobs.connection import open_redis
from backend.jobs.queue import JobFunctions, Queue
from backend.jobs.view import JobState
from backend.settings import Settings
from backend.worker import run_worker, worker_names
from tests.processes import descendants, is_alive, within

UID = "1.1795149789"
TASKS = "tests.backend.jobs.tasks_for_tests"


def work(url: str, data_dir: str, name: str, train: str, grace: float) -> None:
    """The worker process of the tests: all of `run_worker` but the long imports."""
    settings = Settings(redis_url=SecretStr(url), data_dir=Path(data_dir), log_level="WARNING", torch_threads=1)
    functions = JobFunctions(f"{TASKS}.{train}", f"{TASKS}.quick")
    run_worker(settings, name=name, functions=functions, preloaded=(), grace=grace)


@dataclass
class Bench:
    """A Redis, a queue whose trainings run one of the test functions, and the workers that the test started."""

    url: str
    connection: redis.Redis
    folder: Path
    processes: list[SpawnProcess] = field(default_factory=list)

    def start(self, train: str, name: str = "w", grace: float = 20.0) -> SpawnProcess:
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(self.url, str(self.folder), name, train, grace)
        )
        process.start()
        self.processes.append(process)
        return process

    def queue(self, train: str) -> Queue:
        return Queue(self.connection, functions=JobFunctions(f"{TASKS}.{train}", f"{TASKS}.quick"))

    def runs(self, what: str, uid: str = UID) -> list[str]:
        noted: list[bytes] = self.connection.lrange(f"test:{uid}:{what}", 0, -1)  # type: ignore[assignment]
        return [line.decode() for line in noted]

    def horse(self) -> int:
        return int(self.runs("started")[-1].split(":")[0])

    def worker_pid(self, name: str) -> int:
        pid = self.connection.hget(f"rq:worker:{name}", "pid")
        assert pid is not None
        return int(pid)


@pytest.fixture
def bench(redis_url: str, redis_connection: redis.Redis, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(redis_url, redis_connection, tmp_path)
    yield made
    # A worker that is about to die would take the next test's job with it.
    family = [pid for process in made.processes if process.pid for pid in descendants(process.pid)]
    for process in made.processes:
        process.kill()
        process.join()
    until(lambda: not any(map(is_alive, family)))


def until(condition: Callable[[], object], seconds: float = 90.0) -> float:
    """Wait for `condition`; returns how long it took. A worker that stands back gets little of a busy machine."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - begun


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_killed_work_horse_runs_again_within_five_seconds(bench: Bench) -> None:
    queue = bench.queue("slow")
    bench.start("slow")
    view = queue.train_now(UID)
    until(lambda: bench.runs("started"))
    os.kill(bench.horse(), signal.SIGKILL)
    assert until(lambda: len(bench.runs("started")) == 2) < within(5.0)
    until(lambda: queue.job(view.id).state is JobState.FINISHED)
    assert len(bench.runs("ended")) == 1


def test_killed_worker_takes_its_horse_along_and_its_job_runs_again(bench: Bench) -> None:
    queue = bench.queue("slow")
    bench.start("slow")
    view = queue.train_now(UID)
    until(lambda: bench.runs("started"))
    horse = bench.horse()
    os.kill(bench.worker_pid("w-train"), signal.SIGKILL)
    assert until(lambda: gone(horse)) < within(2.0)
    assert until(lambda: len(bench.runs("started")) == 2) < within(5.0)
    until(lambda: queue.job(view.id).state is JobState.FINISHED)


def test_next_parent_of_the_same_name_takes_over_what_a_killed_one_left(bench: Bench) -> None:
    queue = bench.queue("slow")
    parent = bench.start("slow")
    queue.train_now(UID)
    until(lambda: bench.runs("started"))
    horse, worker = bench.horse(), bench.worker_pid("w-train")
    parent.kill()
    assert until(lambda: gone(horse) and gone(worker)) < within(2.0)
    bench.start("slow")
    assert until(lambda: len(bench.runs("started")) == 2) < within(10.0)


def test_stopped_parent_puts_back_what_could_not_finish(bench: Bench) -> None:
    queue = bench.queue("slow")
    parent = bench.start("slow", grace=0.5)
    view = queue.train_now(UID)
    until(lambda: bench.runs("started"))
    horse = bench.horse()
    parent.terminate()
    parent.join(10.0)
    assert parent.exitcode == 0
    assert until(lambda: gone(horse)) < within(2.0)
    assert queue.job(view.id).state is JobState.QUEUED


def test_stopped_parent_lets_a_short_job_finish(bench: Bench) -> None:
    queue = bench.queue("lasting")
    parent = bench.start("lasting")
    view = queue.train_now(UID)
    until(lambda: bench.runs("started"))
    parent.terminate()
    parent.join(10.0)
    assert queue.job(view.id).state is JobState.FINISHED


def test_burst_during_a_training_makes_exactly_one_more(bench: Bench) -> None:
    queue = bench.queue("lasting")
    bench.start("lasting")
    queue.mark(UID, time.time())
    until(lambda: bench.runs("started"))
    for _ in range(20):
        queue.mark(UID, time.time())
        queue.tick(time.time())
    until(lambda: len(bench.runs("ended")) == 2)
    time.sleep(1.5)
    assert len(bench.runs("started")) == 2


def test_failure_is_retried_and_keeps_its_traceback_meanwhile(bench: Bench) -> None:
    queue = bench.queue("failing")
    bench.start("failing")
    view = queue.train_now(UID)
    until(lambda: queue.job(view.id).error or len(bench.runs("ended")) == 1)
    until(lambda: queue.job(view.id).state is JobState.FINISHED)
    assert len(bench.runs("started")) == 2
    assert queue.job(view.id).error is None


def test_failure_after_failure_waits_and_shows_why(bench: Bench) -> None:
    queue = bench.queue("hopeless")
    bench.start("hopeless")
    view = queue.train_now(UID)
    until(lambda: queue.job(view.id).state is JobState.RETRYING)
    waiting = queue.job(view.id)
    assert waiting.error == "ValueError: no luck"
    assert "in hopeless" in (waiting.traceback or "")
    assert waiting.attempt >= 2
    assert until(lambda: len(bench.runs("started")) == 3) < within(8.0)


def test_progress_shows_stage_fraction_and_eta(bench: Bench) -> None:
    queue = bench.queue("slow")
    bench.start("slow")
    view = queue.train_now(UID)
    until(lambda: queue.job(view.id).fraction)
    running = queue.job(view.id)
    assert (running.state, running.stage, running.fraction) == (JobState.STARTED, "training", 0.25)
    assert running.eta is not None
    assert running.eta > 0
    assert running.message == "sleeping"


def test_running_job_can_be_stopped_and_is_not_retried(bench: Bench) -> None:
    queue = bench.queue("slow")
    bench.start("slow")
    view = queue.train_now(UID)
    until(lambda: bench.runs("started"))
    queue.cancel(view.id)
    until(lambda: queue.job(view.id).state is JobState.CANCELED)
    assert gone(bench.horse())
    time.sleep(1.0)
    assert len(bench.runs("started")) == 1


@pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is not installed")
def test_detector_in_training_is_stopped_within_two_seconds(bench: Bench) -> None:
    queue = bench.queue("detecting")
    bench.start("detecting")
    view = queue.train_now(UID)
    until(lambda: bench.runs("step"), seconds=90.0)
    queue.cancel(view.id)
    assert until(lambda: gone(bench.horse()) and queue.job(view.id).state is JobState.CANCELED) < within(2.0)
    assert bench.runs("ended") == []


def test_refresh_runs_beside_a_long_training(bench: Bench) -> None:
    queue = bench.queue("slow")
    bench.start("slow")
    queue.train_now(UID)
    until(lambda: bench.runs("started"))
    queue.refresh("2.5", "v1")
    until(lambda: bench.runs("ended", "2.5"))
    assert not bench.runs("ended")


def test_job_is_given_the_worker_s_settings_and_few_threads(bench: Bench) -> None:
    queue = bench.queue("describing")
    bench.start("describing")
    queue.train_now(UID)
    until(lambda: bench.connection.get(f"test:{UID}:described"))
    assert bench.connection.get(f"test:{UID}:described") == f"{bench.folder}:1:10".encode()


def test_worker_without_redis_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="PRELABEL_REDIS_URL: got nothing"):
        run_worker(Settings(data_dir=tmp_path))


def test_each_queue_has_a_worker_of_its_own() -> None:
    assert worker_names("w") == ["w-train", "w-background"]


def test_redis_that_goes_away_for_a_while_ends_no_training_and_stops_no_later_one(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    with open_redis(server.url) as connection:
        bench = Bench(server.url, connection, tmp_path)
        queue = bench.queue("enduring")
        try:
            process = bench.start("enduring")
            view = queue.train_now(UID)
            until(lambda: bench.runs("started"))
            time.sleep(1.2)  # the append-only file is written once a second
            server.stop()
            time.sleep(1.5)
            server.start()
            until(lambda: queue.job(view.id).state is JobState.FINISHED, 30.0)
            assert len(bench.runs("started")) == 1
            queue.mark("2.5", 0.0)
            until(lambda: bench.runs("started", "2.5"), 20.0)
        finally:
            process.kill()
            process.join()
            server.stop()
