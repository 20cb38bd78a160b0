"""RQ's worker as Prelabel runs it, and what happens in its work horse before the job."""

from __future__ import annotations

import logging
import os
import traceback

import redis
import rq
from redis.client import Pipeline
from rq.job import Job
from rq.serializers import JSONSerializer

from backend.jobs.connection import LONGEST_PAUSE
from backend.jobs.context import running_with
from backend.jobs.queue import RETRY_AFTER
from backend.jobs.tail import forget_tail, tailed
from backend.parent_death import die_with_parent
from backend.processors import training_threads
from backend.settings import Settings

log = logging.getLogger(__name__)


class NicedWorker(rq.Worker):
    """RQ's worker, whose work horse dies with it, is given the settings, and outlives a Redis that is away a while."""

    max_connection_wait_time = LONGEST_PAUSE

    def __init__(self, queue: str, connection: redis.Redis, name: str, settings: Settings) -> None:
        super().__init__(
            [queue],
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            job_monitoring_interval=2,
            maintenance_interval=5,
            worker_ttl=60,
            exception_handlers=[keep_error],
            work_horse_killed_handler=keep_death,
        )
        self._settings = settings

    def main_work_horse(self, job: Job, queue: rq.Queue) -> None:
        """The work horse's first lines, after the fork."""
        die_with_parent(self.pid or os.getppid())
        _bound_threads(self._settings.torch_threads or training_threads())
        if job.retries_left == len(RETRY_AFTER):  # the first attempt
            forget_tail(self.connection, job.id)
        with running_with(self._settings), tailed(self.connection, job.id):
            super().main_work_horse(job, queue)

    def maintain_heartbeats(self, job: Job) -> None:
        """Redis being away is no reason to end a training that can be published when it is back."""
        try:
            super().maintain_heartbeats(job)
        except redis.RedisError as error:
            log.warning("Worker %s sent no heartbeat: %s", self.name, error)

    def set_current_job_working_time(self, current_job_working_time: float, pipeline: Pipeline | None = None) -> None:
        """Between two heartbeats RQ notes how long the job has run; not being able to is no reason either."""
        try:
            super().set_current_job_working_time(current_job_working_time, pipeline)
        except redis.RedisError as error:
            self.current_job_working_time = current_job_working_time
            log.debug("Worker %s did not note its working time: %s", self.name, error)


def keep_error(job: Job, kind: type[BaseException], error: BaseException, trace: object) -> bool:
    """RQ forgets what failed attempts raised; keep it in the job, for the status page. Tells RQ to go on as usual."""
    job.meta["error"] = f"{kind.__name__}: {error}"
    job.meta["traceback"] = "".join(traceback.format_exception(error))
    log.error("Job %s failed.", job.id, exc_info=error)
    job.save_meta()
    return True


def keep_death(job: Job, pid: int, status: int, usage: object) -> None:
    """The same for a work horse that was killed; `status` is what waitpid returned."""
    how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit status {os.WEXITSTATUS(status)}"
    job.meta["error"] = f"The process that ran this job was ended by {how}. Signal 9 often means: out of memory."
    job.meta["traceback"] = None
    log.error("Job %s lost its process %d: %s", job.id, pid, how)
    job.save_meta()


def _bound_threads(count: int) -> None:
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(count)
    threadpool_limits(count)
