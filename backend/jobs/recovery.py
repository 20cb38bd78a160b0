"""What a dead worker was running is put back."""

from __future__ import annotations

import rq
from rq.job import Job, JobStatus


def give_up(queue: rq.Queue, worker_name: str, keep_failed: int) -> list[str]:
    """Requeue what `queue` believes the dead worker to be running; returns the jobs' ids. One without attempts left has
    failed, and is kept for so many seconds."""
    redis_, registry, lost = queue.connection, queue.started_job_registry, []
    for identifier, execution_id in registry.get_job_and_execution_ids(cleanup=False):
        execution = f"rq:execution:{identifier}:{execution_id}"
        if redis_.hget(execution, "worker_name") != worker_name.encode():
            continue
        redis_.zrem(registry.key, f"{identifier}:{execution_id}")
        redis_.delete(execution)
        queue.intermediate_queue.remove(identifier)
        job = queue.fetch_job(identifier)
        if job is not None:
            _try_again(queue, job, keep_failed)
            lost.append(identifier)
    return lost


def _try_again(queue: rq.Queue, job: Job, keep_failed: int) -> None:
    job.meta["error"] = "The worker process ended while it ran this job."
    if job.retries_left:
        job.retries_left -= 1
        queue.enqueue_job(job, at_front=True)
        return
    job.set_status(JobStatus.FAILED)
    job.save()
    queue.failed_job_registry.add(job, ttl=keep_failed)
