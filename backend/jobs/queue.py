"""The queue of background work: RQ's two queues, and marks for the projects that are due for training or refresh.

All of it can be rebuilt: Label Studio holds the facts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import redis
import rq
from redis.exceptions import LockError
from rq.command import send_stop_job_command
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError
from rq.job import Job
from rq.serializers import JSONSerializer

from backend.errors import UnknownJob
from backend.jobs.connection import redis_errors
from backend.jobs.marks import CancelledMarks, RefreshMarks, TrainingMarks, Unshown
from backend.jobs.recovery import give_up
from backend.jobs.tail import read_tail
from backend.jobs.view import JobKind, JobState, JobView, failure_of, state_of, view_of

log = logging.getLogger(__name__)

RETRY_AFTER = (0, 5, 30, 120)
"""Seconds before each further attempt of a failed job."""
KEEP_FINISHED = 86_400
KEEP_FAILED = 7 * 86_400
ORPHANED_AFTER = 15.0
"""Seconds without a sign of life after which a job that no list of RQ's holds is given up."""


@dataclass(frozen=True)
class JobFunctions:
    """What the jobs call, by dotted path, so that whoever enqueues never imports training code."""

    train: str = "backend.jobs.train.run"
    refresh: str = "backend.jobs.refresh.run"


class Queue:
    """All background work of all projects. Every method raises `QueueUnavailable` while Redis is away."""

    def __init__(
        self, connection: redis.Redis, *, job_timeout: int = 3600, functions: JobFunctions | None = None
    ) -> None:
        self._redis = connection
        self._timeout = job_timeout
        self._functions = functions or JobFunctions()
        self._due = TrainingMarks(connection)
        self._unshown = RefreshMarks(connection)
        self._cancelled = CancelledMarks(connection)
        self._train = open_queue("train", connection)
        self._background = open_queue("background", connection)

    def mark(self, uid: str, due: float, *, postpone: bool = False) -> None:
        """Have the project trained at the unix time `due`, or at an earlier mark of it if there is one.

        With `postpone` a mark that is not yet due moves to `due` instead: so training waits for a quiet moment.
        """
        with redis_errors():
            self._due.put(uid, due, postpone=postpone)

    def begin(self, uid: str) -> None:
        """Take the mark away. A training calls this first, before it reads any annotation."""
        with redis_errors():
            self._due.remove(uid)
            self._cancelled.remove(uid)

    def due(self) -> dict[str, float]:
        """The marked projects, with the unix time when each is due; the earliest first."""
        with redis_errors():
            return self._due.all()

    def tick(self, now: float) -> list[str]:
        """Enqueue a training of each project that is due and has none queued or running; returns their uids. Enqueue
        the refreshes that are due, too.

        Call it every second or so, from as many processes as you like.
        """
        with redis_errors():
            for uid, mark in self._unshown.all().items():
                if mark.due <= now:
                    self._start(JobKind.REFRESH, uid, (mark.version,))
            due = [uid for uid, at in self._due.all().items() if at <= now]
            return [uid for uid in due if self._start(JobKind.TRAIN, uid, ()) is not None]

    def hasten(self, uid: str) -> None:
        """Enqueue a training of the project now, unless one is queued or running.

        One that failed and waits for its next attempt starts at once: what it lacked may be there now.
        """
        with redis_errors():
            self._start(JobKind.TRAIN, uid, (), impatient=True)

    def train_now(self, uid: str) -> JobView:
        """Train as soon as a worker is free; a training that runs already is followed by one more."""
        self.mark(uid, 0.0)
        self.hasten(uid)
        with redis_errors():
            job = self._fetch(job_id(JobKind.TRAIN, uid))
        if job is None:  # another process is enqueueing it at this very moment
            return JobView(job_id(JobKind.TRAIN, uid), uid, JobKind.TRAIN, JobState.QUEUED)
        return self._view(job)

    def refresh(self, uid: str, version: str, quiet: float = 0.0) -> JobView:
        """Write the predictions of `version`; queued refreshes of the project's other versions are dropped.

        One that runs is not touched: it ends by itself when it sees that it is no longer current, and one of the same
        version, which may be past the tasks that this is about, is followed by one more. It starts once nobody has
        asked for one for `quiet` seconds.
        """
        with redis_errors():
            mark = self._unshown.put(uid, version, quiet)
            wanted = job_id(JobKind.REFRESH, uid, version)
            for other in self._jobs_of(uid, JobKind.REFRESH):
                if other.id != wanted and self._withdrawn(other):
                    _delete(other)
            if mark.due <= time.time():
                self._start(JobKind.REFRESH, uid, (version,))
            job = self._fetch(wanted)
        return self._view(job) if job else _waiting(uid, mark)

    def begin_refresh(self, uid: str, version: str) -> None:
        """Take the mark of that refresh away. A refresh calls this first, before it reads any task."""
        with redis_errors():
            self._unshown.remove(uid, version)

    def job(self, identifier: str) -> JobView:
        """The job of that id. Raises `UnknownJob`."""
        with redis_errors():
            job = self._fetch(identifier)
            waiting = {view.id: view for view in self._waiting()} if job is None else {}
        if job is not None:
            return self._view(job)
        if identifier not in waiting:
            raise UnknownJob(f"Got job {identifier!r}, which the queue does not have; GET / lists the jobs there are.")
        return waiting[identifier]

    def said(self, identifier: str) -> str | None:
        """The sentence that a finished job returned. Raises `UnknownJob`."""
        self.job(identifier)
        with redis_errors():
            job = self._fetch(identifier)
            value: Any = job.return_value() if job is not None else None
        return str(value) if value is not None else None

    def log(self, identifier: str) -> list[str]:
        """The last lines that the job logged, oldest first. Raises `UnknownJob`."""
        self.job(identifier)
        return read_tail(self._redis, identifier)

    def jobs(self, uid: str | None = None, *, alive: bool = False) -> list[JobView]:
        """All jobs, or one project's: the ones that ended are kept for a day, failed ones for a week. Newest first.

        A refresh that waits for a quiet moment is one of them, as a queued one. `alive`: only those that run or will
        run, which costs no more however many have ended.
        """
        with redis_errors():
            found = {job.id: self._view(job) for kind in JobKind for job in self._jobs_of(uid, kind, alive=alive)}
            for view in self._waiting():
                if uid in (None, view.uid) and not (view.id in found and found[view.id].state.alive):
                    found[view.id] = view
        found = {name: view for name, view in found.items() if view.state.alive or not alive}
        oldest = datetime.min.replace(tzinfo=timezone.utc)
        return sorted(found.values(), key=lambda view: view.enqueued_at or oldest, reverse=True)

    def cancel(self, identifier: str) -> None:
        """Stop a job, running or not; a marked project's training is unmarked, too. Raises `UnknownJob`.

        The training comes back with the next event or by hand, and not because its labels are there: see `is_left`.
        """
        view = self.job(identifier)
        if view.kind is JobKind.REFRESH:
            self.begin_refresh(view.uid, view.version or "")
        elif view.state.alive or view.uid in self.due():
            with redis_errors():
                self._due.remove(view.uid)
                self._cancelled.put(view.uid)
        with redis_errors(), suppress(NoSuchJobError, InvalidJobOperation):  # it ended meanwhile, which is as good
            if view.state is JobState.STARTED:
                send_stop_job_command(self._redis, identifier, serializer=JSONSerializer)
            elif view.state.alive:
                Job.fetch(identifier, self._redis, serializer=JSONSerializer).cancel()
                self._redis.expire(Job.key_for(identifier), KEEP_FINISHED)

    def was_cancelled(self, uid: str) -> bool:
        """Whether a person cancelled the project's training, no longer than an hour ago, and none has begun since."""
        with redis_errors():
            return self._cancelled.is_there(uid)

    def is_left(self, uid: str, seen: str) -> bool:
        """Whether a person has cancelled the training of just what is seen now, so that it is left alone."""
        with redis_errors():
            return self._cancelled.covers(uid, seen)

    def forget(self, uid: str) -> None:
        """Drop everything about a project: its mark, and its jobs, running or not."""
        self.begin(uid)
        with redis_errors():
            self._unshown.remove(uid)
            jobs = [job for kind in JobKind for job in self._jobs_of(uid, kind)]
        for job in jobs:
            self.cancel(job.id)
        self.begin(uid)

    def recover(self, worker_name: str) -> list[str]:
        """Put back at once what the worker called `worker_name` was running; returns the jobs' ids.

        Only for a worker that is certainly dead, as its parent process knows. RQ by itself would wait for its
        heartbeats to run out. A recovery costs the job an attempt: one that kills its worker must not do so for ever.
        """
        with redis_errors():
            lost = [
                identifier
                for queue in (self._train, self._background)
                for identifier in give_up(queue, worker_name, KEEP_FAILED)
            ]
            self._redis.delete(f"rq:worker:{worker_name}")
        return lost

    def _waiting(self) -> list[JobView]:
        """The refreshes that wait for a quiet moment, or for one of the same version to end."""
        return [_waiting(uid, mark) for uid, mark in self._unshown.all().items()]

    def _start(self, kind: JobKind, uid: str, more: tuple[str, ...], *, impatient: bool = False) -> Job | None:
        """Enqueue the job unless it is alive already. `impatient`: one that waits for its next attempt starts now."""
        identifier = job_id(kind, uid, *more)
        with self._exclusive(identifier) as mine:
            if not mine:
                return None
            there = self._fetch(identifier)
            failure = {}
            if there is not None:
                waiting = impatient and state_of(there) is JobState.RETRYING
                if state_of(there).alive and not (waiting and self._withdrawn(there)) and not self._orphaned(there):
                    return None
                failure = failure_of(there)
                _delete(there)
            return self._enqueue(kind, identifier, (uid, *more), failure)

    def _enqueue(
        self, kind: JobKind, identifier: str, arguments: tuple[str, ...], failure: dict[str, Any]
    ) -> Job | None:
        queue = self._train if kind is JobKind.TRAIN else self._background
        function = self._functions.train if kind is JobKind.TRAIN else self._functions.refresh
        try:
            return queue.enqueue_call(
                function,
                args=arguments,
                timeout=self._timeout,
                result_ttl=KEEP_FINISHED,
                failure_ttl=KEEP_FAILED,
                description=f"{kind.value} {' '.join(arguments)}",
                job_id=identifier,
                meta=failure,
                retry=rq.Retry(max=len(RETRY_AFTER), interval=list(RETRY_AFTER)),
                unique=True,  # holds even where the lock ran out while this process was asleep
            )
        except DuplicateJobError:
            return None

    @contextmanager
    def _exclusive(self, identifier: str) -> Iterator[bool]:
        """Whether nobody else is deciding about this job. Never waits: the mark is there at the next tick, too."""
        lock = self._redis.lock(f"prelabel:enqueue:{identifier}", timeout=5, blocking=False)
        mine = bool(lock.acquire())
        try:
            yield mine
        finally:
            if mine:
                with suppress(LockError):  # it ran out: somebody else's by now
                    lock.release()

    def _withdrawn(self, job: Job) -> bool:
        """Whether a job that waits was taken out of its line before a worker could take it: one that is deleted under a
        worker would keep what that writes afterwards alone, which RQ cannot read."""
        queue = self._queue_of(job)
        later = queue.scheduled_job_registry.key
        return bool(self._redis.lrem(queue.key, 1, job.id) or self._redis.zrem(later, job.id))

    def _queue_of(self, job: Job) -> rq.Queue:
        return self._train if job.origin == self._train.name else self._background

    def _orphaned(self, job: Job) -> bool:
        """Whether a crash between two of RQ's writes left the job in no list, so that it would never run."""
        signs = [sign.timestamp() for sign in (job.enqueued_at, job.started_at, job.last_heartbeat) if sign]
        if signs and time.time() - max(signs) < ORPHANED_AFTER:
            return False
        queue = self._queue_of(job)
        listed = job.id in (
            *queue.get_job_ids(),
            *queue.intermediate_queue.get_job_ids(),
            *queue.scheduled_job_registry.get_job_ids(cleanup=False),
            *queue.started_job_registry.get_job_ids(cleanup=False),
        )
        if not listed:
            log.warning("Job %s was in no list of RQ's and is enqueued anew.", job.id)
        return not listed

    def _jobs_of(self, uid: str | None, kind: JobKind, *, alive: bool = False) -> list[Job]:
        queue = self._train if kind is JobKind.TRAIN else self._background
        prefix = job_id(kind, uid) if uid is not None else f"{kind.value}-"
        ended = (queue.finished_job_registry, queue.failed_job_registry, queue.canceled_job_registry)
        registries = (queue.started_job_registry, queue.scheduled_job_registry, *(() if alive else ended))
        ids = [*queue.get_job_ids(), *(id_ for registry in registries for id_ in registry.get_job_ids(cleanup=False))]
        wanted = [id_ for id_ in dict.fromkeys(ids) if id_.startswith(prefix)]
        try:
            jobs = Job.fetch_many(wanted, self._redis, serializer=JSONSerializer)
        except NoSuchJobError:  # a worker took one just as it was deleted, which leaves a part of its hash behind
            jobs = [self._fetch(id_) for id_ in wanted]
        return [job for job in jobs if job is not None and (uid is None or job.args[0] == uid)]

    def _fetch(self, identifier: str) -> Job | None:
        try:
            return Job.fetch(identifier, self._redis, serializer=JSONSerializer)
        except (NoSuchJobError, ValueError):  # ValueError: characters that no id has
            return None

    def _view(self, job: Job) -> JobView:
        return view_of(job, attempts=len(RETRY_AFTER) + 1)


def job_id(kind: JobKind, uid: str, *more: str) -> str:
    """The fixed id of a project's job: RQ allows no dots in it."""
    return "-".join((kind.value, uid.replace(".", "_"), *more))


def _waiting(uid: str, mark: Unshown) -> JobView:
    return JobView(job_id(JobKind.REFRESH, uid, mark.version), uid, JobKind.REFRESH, JobState.QUEUED, mark.version)


def open_queue(name: str, connection: redis.Redis) -> rq.Queue:
    """One of RQ's queues. JSON, since RQ's default unpickles whatever lies in Redis."""
    return rq.Queue(name, connection=connection, serializer=JSONSerializer)


def _delete(job: Job) -> None:
    """Delete a job. RQ's own deletion trips over what a heartbeat that came after the job's end left behind: its
    execution, listed again and half written."""
    job.connection.delete(job.execution_registry.key)
    job.delete()
