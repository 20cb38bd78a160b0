"""The queue's own decisions, on a real Redis and without workers."""

from __future__ import annotations

import time

import pytest
import redis
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from backend.errors import QueueUnavailable, UnknownJob
from backend.jobs.connection import open_redis
from backend.jobs.marks import LEFT_FOR, LONGEST_QUIET
from backend.jobs.queue import JobFunctions, Queue, open_queue
from backend.jobs.view import JobKind, JobState

UID = "1.1795149789"
TASKS = "tests.backend.jobs.tasks_for_tests"


@pytest.fixture
def queue(redis_connection: redis.Redis) -> Queue:
    return Queue(redis_connection, functions=JobFunctions(f"{TASKS}.quick", f"{TASKS}.quick"))


def end(connection: redis.Redis, identifier: str, status: str, queue: str = "train") -> None:
    """Leave the job's hash as RQ leaves that of a job that ended."""
    job = Job.fetch(identifier, connection, serializer=JSONSerializer)
    open_queue(queue, connection).remove(job)
    job.set_status(status)  # type: ignore[arg-type]


def test_marked_project_is_enqueued_when_due_and_once(queue: Queue) -> None:
    queue.mark(UID, 1000.0)
    assert queue.tick(999.0) == []
    assert queue.tick(1000.0) == [UID]
    assert queue.tick(1001.0) == []
    assert [view.id for view in queue.jobs()] == ["train-1_1795149789"]
    assert queue.due() == {UID: 1000.0}


def test_mark_keeps_the_earliest(queue: Queue) -> None:
    queue.mark(UID, 50.0)
    queue.mark(UID, 100.0)
    assert queue.due() == {UID: 50.0}
    queue.mark(UID, 10.0)
    assert queue.due() == {UID: 10.0}


@pytest.mark.parametrize("expired", [False, True])
def test_heartbeat_after_the_end_does_not_block_the_next_run(
    queue: Queue, redis_connection: redis.Redis, expired: bool
) -> None:
    queue.train_now(UID)
    end(redis_connection, "train-1_1795149789", "finished")
    job = Job.fetch("train-1_1795149789", redis_connection, serializer=JSONSerializer)
    late = Execution("f" * 32, job.id, redis_connection)
    late.heartbeat(job.started_job_registry, 60, redis_connection)  # type: ignore[arg-type]
    if expired:
        redis_connection.delete(late.key)

    queue.mark(UID, 1000.0)
    assert queue.tick(1000.0) == [UID]


def test_postponing_moves_a_mark_only_while_it_is_not_due(queue: Queue) -> None:
    later = time.time() + 60
    queue.mark(UID, later, postpone=True)
    queue.mark(UID, later + 5, postpone=True)
    assert queue.due()[UID] == pytest.approx(later + 5)
    queue.mark(UID, 1.0)
    queue.mark(UID, later + 9, postpone=True)
    assert queue.due() == {UID: 1.0}


def test_beginning_takes_the_mark_and_a_later_event_makes_one_more_run(
    queue: Queue, redis_connection: redis.Redis
) -> None:
    queue.mark(UID, 1.0)
    queue.tick(2.0)
    queue.begin(UID)
    for due in (3.0, 3.5, 4.0):
        queue.mark(UID, due)
    assert queue.tick(5.0) == []
    end(redis_connection, "train-1_1795149789", "finished")
    assert queue.tick(6.0) == [UID]
    queue.begin(UID)
    end(redis_connection, "train-1_1795149789", "finished")
    assert queue.tick(7.0) == []


@pytest.mark.parametrize("status", ["finished", "failed", "stopped", "canceled"])
def test_ended_job_never_blocks_the_next(queue: Queue, redis_connection: redis.Redis, status: str) -> None:
    queue.train_now(UID)
    end(redis_connection, "train-1_1795149789", status)
    assert queue.tick(time.time()) == [UID]


def test_job_that_is_in_no_list_is_enqueued_anew(queue: Queue, redis_connection: redis.Redis) -> None:
    queue.train_now(UID)
    redis_connection.delete("rq:queue:train")
    assert queue.tick(time.time()) == []
    redis_connection.hset("rq:job:train-1_1795149789", "enqueued_at", "2020-01-01T00:00:00.000000Z")
    redis_connection.hdel("rq:job:train-1_1795149789", "last_heartbeat")
    assert queue.tick(time.time()) == [UID]
    assert redis_connection.llen("rq:queue:train") == 1


def test_heartbeat_of_a_deleted_job_leaves_no_block(queue: Queue, redis_connection: redis.Redis) -> None:
    redis_connection.hset("rq:job:train-1_1795149789", "last_heartbeat", "2020-01-01T00:00:00.000000Z")
    assert queue.train_now(UID).state is JobState.QUEUED


def test_training_that_waits_for_its_next_attempt_starts_at_once_when_asked_for(
    queue: Queue, redis_connection: redis.Redis
) -> None:
    queue.train_now(UID)
    job = Job.fetch("train-1_1795149789", redis_connection, serializer=JSONSerializer)
    rq_queue = open_queue("train", redis_connection)
    rq_queue.remove(job)
    job.retries_left = 1
    job.save()
    with redis_connection.pipeline() as pipeline:
        job.retry(rq_queue, pipeline)
        pipeline.execute()
    assert queue.job(job.id).state is JobState.RETRYING
    assert queue.tick(time.time()) == []
    assert queue.train_now(UID).state is JobState.QUEUED
    assert rq_queue.get_job_ids() == [job.id]


def test_newer_refresh_drops_the_queued_older_one(queue: Queue) -> None:
    queue.refresh(UID, "v1")
    view = queue.refresh(UID, "v2")
    assert (view.kind, view.version, view.state) == (JobKind.REFRESH, "v2", JobState.QUEUED)
    assert [job.id for job in queue.jobs(UID)] == ["refresh-1_1795149789-v2"]


def test_refresh_that_a_worker_has_just_taken_is_not_deleted(queue: Queue, redis_connection: redis.Redis) -> None:
    """Its state is still the one of a job that waits."""
    older = queue.refresh(UID, "v1")
    redis_connection.lrem(open_queue("background", redis_connection).key, 1, older.id)
    queue.refresh(UID, "v2")
    assert queue.job(older.id).version == "v1"


def test_what_a_worker_writes_to_a_deleted_job_hides_no_other(queue: Queue, redis_connection: redis.Redis) -> None:
    """It took the older refresh just as the newer one replaced that."""
    older = queue.refresh(UID, "v1")
    job = Job.fetch(older.id, redis_connection, serializer=JSONSerializer)
    queue.refresh(UID, "v2")
    redis_connection.zadd(job.started_job_registry.key, {f"{job.id}:{'e' * 32}": time.time() + 60})
    redis_connection.hset(job.key, mapping={"status": "started"})
    assert [view.version for view in queue.jobs(UID)] == ["v2"]


def test_refresh_that_is_asked_for_while_one_runs_is_run_again(queue: Queue, redis_connection: redis.Redis) -> None:
    view = queue.refresh(UID, "v1")
    queue.begin_refresh(UID, "v1")
    queue.refresh(UID, "v1")
    Job.fetch(view.id, redis_connection, serializer=JSONSerializer).set_status(JobStatus.STARTED)
    open_queue("background", redis_connection).remove(view.id)
    queue.tick(time.time())
    assert queue.job(view.id).state is JobState.STARTED
    end(redis_connection, view.id, "finished", "background")
    queue.tick(time.time())
    assert queue.job(view.id).state is JobState.QUEUED
    queue.begin_refresh(UID, "v1")
    end(redis_connection, view.id, "finished", "background")
    queue.tick(time.time())
    assert queue.job(view.id).state is JobState.FINISHED


def test_refresh_waits_for_a_quiet_moment_but_not_for_ever(queue: Queue) -> None:
    now = time.time()
    view = queue.refresh(UID, "v1", quiet=20.0)
    assert (view, view.state) == (queue.job(view.id), JobState.QUEUED)
    queue.tick(now + 15)
    assert [job.enqueued_at for job in queue.jobs(UID)] == [None]
    queue.refresh(UID, "v2", quiet=20.0)
    assert [job.version for job in queue.jobs(UID)] == ["v2"]
    for version in ("v3", "v4"):
        queue.refresh(UID, version, quiet=200.0)
    queue.tick(now + LONGEST_QUIET - 1)
    assert [job.enqueued_at for job in queue.jobs(UID)] == [None]
    queue.tick(now + LONGEST_QUIET + 1)
    assert [(job.version, job.enqueued_at is not None) for job in queue.jobs(UID)] == [("v4", True)]


def test_refresh_that_waits_can_be_cancelled(queue: Queue) -> None:
    queue.cancel(queue.refresh(UID, "v1", quiet=20.0).id)
    assert queue.jobs(UID) == []


def test_cancelled_refresh_does_not_come_back(queue: Queue) -> None:
    queue.cancel(queue.refresh(UID, "v1").id)
    queue.tick(time.time())
    assert [view.state for view in queue.jobs(UID)] == [JobState.CANCELED]


def test_projects_whose_ids_begin_alike_do_not_mix(queue: Queue) -> None:
    queue.refresh("1.179", "v1")
    queue.refresh("1.1795", "v1")
    assert [job.uid for job in queue.jobs("1.179")] == ["1.179"]


def test_cancelling_unmarks_and_leaves_the_next_training_free(queue: Queue) -> None:
    view = queue.train_now(UID)
    queue.cancel(view.id)
    assert queue.job(view.id).state is JobState.CANCELED
    assert queue.tick(time.time()) == []
    assert queue.train_now(UID).state is JobState.QUEUED


def test_what_was_cancelled_is_left_alone_until_something_changes_or_a_training_begins(
    queue: Queue, redis_connection: redis.Redis
) -> None:
    assert not queue.was_cancelled(UID)
    queue.cancel(queue.train_now(UID).id)
    assert queue.was_cancelled(UID)
    assert [queue.is_left(UID, seen) for seen in ("5 labels", "5 labels", "6 labels", "5 labels")] == [
        True, True, False, True,
    ]  # fmt: skip
    assert 0 < redis_connection.ttl(f"prelabel:cancelled:{UID}") <= LEFT_FOR
    queue.train_now(UID)
    assert queue.was_cancelled(UID), "it has not begun yet"
    queue.begin(UID)
    assert not queue.was_cancelled(UID)
    assert not queue.is_left(UID, "5 labels")


def test_cancelling_what_has_ended_leaves_nothing_alone(queue: Queue, redis_connection: redis.Redis) -> None:
    view = queue.train_now(UID)
    queue.begin(UID)
    end(redis_connection, view.id, "finished")
    queue.cancel(view.id)
    assert queue.job(view.id).state is JobState.FINISHED
    assert not queue.was_cancelled(UID)
    queue.train_now(UID)
    queue.forget(UID)
    assert not queue.was_cancelled(UID)


def test_forgetting_a_project_leaves_nothing_to_run(queue: Queue) -> None:
    queue.train_now(UID)
    queue.refresh(UID, "v1")
    queue.forget(UID)
    assert queue.due() == {}
    assert not [view for view in queue.jobs(UID) if view.state.alive]


@pytest.mark.parametrize("identifier", ["train-9_9", "../../etc", ""])
def test_unknown_job_is_said_so(queue: Queue, identifier: str) -> None:
    with pytest.raises(UnknownJob, match="GET /"):
        queue.job(identifier)


def test_redis_that_is_away_is_noticed_within_a_second() -> None:
    queue = Queue(open_redis("redis://127.0.0.1:1/0"))
    begun = time.monotonic()
    with pytest.raises(QueueUnavailable, match="PRELABEL_REDIS_URL"):
        queue.mark(UID, 0.0)
    assert time.monotonic() - begun < 1.0


def test_view_is_plain_json(queue: Queue) -> None:
    view = queue.train_now(UID).to_json()
    assert view["kind"] == "train"
    assert view["state"] == "queued"
    assert view["uid"] == UID
    assert view["attempt"] == 1
    assert isinstance(view["enqueued_at"], str)


def test_pressing_start_training_twice_shows_the_same_job(queue: Queue) -> None:
    first, second = queue.train_now(UID), queue.train_now(UID)
    assert first.id == second.id
    assert first.enqueued_at == second.enqueued_at
    assert [view.id for view in queue.jobs(alive=True)] == [first.id]


def test_jobs_that_ended_are_left_out_on_request(queue: Queue, redis_connection: redis.Redis) -> None:
    view = queue.train_now(UID)
    refresh = queue.refresh(UID, "v1")
    end(redis_connection, view.id, "finished")
    assert [one.id for one in queue.jobs(alive=True)] == [refresh.id]
