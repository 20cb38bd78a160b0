"""What the queue says about one job, as plain data for pages and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any

from rq.exceptions import InvalidJobOperation
from rq.job import Job, JobStatus


class JobKind(str, Enum):
    """The kinds of background work. Each has a queue of its own, or none would be safe from the other's length."""

    TRAIN = "train"
    REFRESH = "refresh"


class JobState(str, Enum):
    """The life of a job. RETRYING: it failed, and waits for its next attempt."""

    QUEUED = "queued"
    STARTED = "started"
    RETRYING = "retrying"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def alive(self) -> bool:
        """Whether it is running or will run."""
        return self in (JobState.QUEUED, JobState.STARTED, JobState.RETRYING)


_STATES = {
    JobStatus.CREATED: JobState.QUEUED,
    JobStatus.QUEUED: JobState.QUEUED,
    JobStatus.DEFERRED: JobState.QUEUED,
    JobStatus.SCHEDULED: JobState.RETRYING,
    JobStatus.STARTED: JobState.STARTED,
    JobStatus.FINISHED: JobState.FINISHED,
    JobStatus.FAILED: JobState.FAILED,
    JobStatus.STOPPED: JobState.CANCELED,
    JobStatus.CANCELED: JobState.CANCELED,
}


@dataclass(frozen=True)
class JobView:
    """One job. `fraction` is in [0, 1] and `eta` in seconds from now; None where nothing is known yet.

    `epoch` is the one that runs, from 1, of `epochs`; `metrics` are figures of what is being made, such as its loss.
    `error` is the last failure in a sentence and `traceback` its traceback; both outlive a retry, and a later
    attempt that succeeds clears them. Times are UTC. `attempt` counts from 1.
    """

    id: str
    uid: str
    kind: JobKind
    state: JobState
    version: str | None = None
    stage: str = ""
    fraction: float | None = None
    message: str = ""
    epoch: int | None = None
    epochs: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    eta: float | None = None
    error: str | None = None
    traceback: str | None = None
    attempt: int = 1
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object for people and programs. The traceback stays here: it belongs in the log."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "traceback"}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in plain.items()}


def state_of(job: Job) -> JobState:
    """The state in `job`'s hash as last fetched. A hash without a status, left by a late heartbeat, counts as ended."""
    try:
        return _STATES[job.get_status(refresh=False)]
    except InvalidJobOperation:
        return JobState.CANCELED


def failure_of(job: Job) -> dict[str, Any]:
    """What is known of the last failure of a job that has not succeeded since, to be kept by the one after it."""
    if state_of(job) is JobState.FINISHED:
        return {}
    return {key: job.meta[key] for key in ("error", "traceback") if key in job.meta}


def view_of(job: Job, attempts: int) -> JobView:
    """Describe `job`, which has `attempts` attempts in all."""
    state, meta = state_of(job), job.meta
    running = state is JobState.STARTED
    fraction = meta.get("fraction") if running else None
    epoch, epochs = (meta.get("epoch") if running else None) or (None, None)
    failed = state is not JobState.FINISHED
    return JobView(
        id=job.id,
        uid=str(job.args[0]),
        kind=JobKind(job.id.split("-", 1)[0]),
        state=state,
        version=str(job.args[1]) if len(job.args) > 1 else None,
        stage=meta.get("stage", "") if running else "",
        fraction=fraction,
        message=meta.get("message", "") if running else "",
        epoch=epoch,
        epochs=epochs,
        metrics=meta.get("metrics", {}) if running else {},
        eta=_eta(fraction, job.started_at) if running else None,
        error=meta.get("error") if failed else None,
        traceback=meta.get("traceback") if failed else None,
        attempt=max(1, attempts - (job.retries_left or 0)) if job.retries_left is not None else 1,
        enqueued_at=job.enqueued_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )


def _eta(fraction: float | None, started_at: datetime | None) -> float | None:
    if not fraction or started_at is None:
        return None
    elapsed = (datetime.now(timezone.utc) - started_at).total_seconds()
    return max(0.0, elapsed * (1 - fraction) / fraction)
