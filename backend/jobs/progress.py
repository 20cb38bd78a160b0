"""How a running job says where it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import redis
from rq import get_current_job
from rq.job import Job

log = logging.getLogger(__name__)

INTERVAL = 0.25
"""Seconds between two reports of the same stage that are written; the ones between are dropped."""


def report(
    stage: str,
    fraction: float | None = None,
    message: str = "",
    *,
    epoch: tuple[int, int] | None = None,
    metrics: Mapping[str, float] | None = None,
) -> None:
    """Say that the current job is in `stage`, and `fraction` in [0, 1] of the whole job done (None: as far as before).

    `epoch` is the one that runs and the number of all; `metrics` are the figures so far, kept until others come.
    Cheap enough for inner loops. Outside a job, and while Redis is away, it does nothing: progress is for people to
    look at, and no reason to fail.
    """
    job = get_current_job()
    if job is None:
        return
    now = time.time()
    if message and job.meta.get("stage") != stage:
        log.info("%s: %s", stage, message)  # a step of the job's log; what follows in the same stage is progress
    if job.meta.get("stage") == stage and 0 <= now - job.meta.get("reported_at", 0.0) < INTERVAL:
        return
    progress: dict[str, Any] = {"stage": stage, "message": message, "reported_at": now, "epoch": epoch}
    if fraction is not None:
        progress["fraction"] = fraction
    if metrics is not None:
        progress["metrics"] = dict(metrics)
    _write(job, progress)


def _write(job: Job, progress: dict[str, Any]) -> None:
    job.meta.update(progress)
    try:
        job.save_meta()
    except redis.RedisError as error:
        log.debug("The progress of %s was not written: %s", job.id, error)
