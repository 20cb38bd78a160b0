"""`prelabel worker`: one process for each of RQ's queues, forked from a parent that has imported torch already.

The parent runs no tensor operation, since threads that a library has started do not survive a fork; it costs each
job nothing but the fork, and its memory is shared. It puts back at once what a worker was running when it died,
starts that worker again, and enqueues what became due. Each queue has a process of its own, so neither starves the
other, and RQ moves a job out of a single queue without a moment in which the job is nowhere.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

import redis
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from backend.errors import QueueUnavailable, SettingsError
from backend.jobs.connection import LONGEST_PAUSE, open_redis
from backend.jobs.horse import NicedWorker
from backend.jobs.queue import JobFunctions, Queue
from backend.parent_death import die_with_parent
from backend.processors import bound_threads, stand_back, training_threads
from backend.settings import Settings

log = logging.getLogger(__name__)

QUEUES = ("train", "background")
PRELOADED = (
    "torch",
    "timm.models.efficientnet",
    "transformers.models.bert.modeling_bert",
    "tokenizers",
    "scipy.optimize",
    "safetensors.torch",
    "model_zoo.registry",
    "backend.jobs.train",
    "backend.jobs.refresh",
)
NICE = 10
INTERVAL = 0.5


def worker_names(name: str) -> list[str]:
    """What the workers of the parent called `name` are called in Redis."""
    return [f"{name}-{queue}" for queue in QUEUES]


def run_worker(
    settings: Settings,
    *,
    name: str | None = None,
    grace: float = 20.0,
    functions: JobFunctions | None = None,
    preloaded: Sequence[str] = PRELOADED,
) -> None:
    """Run jobs until SIGTERM or SIGINT. Raises `SettingsError` without a Redis to take them from.

    `name` is unique among the parents that live; a parent that takes a dead one's name takes its work, too. A job
    that runs at the end has `grace` seconds to finish and is put back otherwise.
    """
    if settings.redis_url is None:
        raise SettingsError(
            "PRELABEL_REDIS_URL: got nothing, expected an address like redis://host:6379/0. Set it, or run "
            "`prelabel up`, which brings a Redis of its own."
        )
    bound_threads(settings.torch_threads or training_threads())
    _preload(preloaded)
    url = settings.redis_url.get_secret_value()
    _Parent(settings, url, name or f"{socket.gethostname()}-{os.getpid()}", functions).run(grace)


@dataclass
class _Slot:
    """The place of one worker process. `dead` until the jobs of the one before it are put back."""

    queue: str
    name: str
    pid: int | None = None
    dead: bool = True
    not_before: float = 0.0
    pause: float = 0.1


class _Parent:
    def __init__(self, settings: Settings, url: str, name: str, functions: JobFunctions | None) -> None:
        self._settings = settings
        self._url = url
        self._redis = open_redis(url)
        self._queue = Queue(self._redis, job_timeout=settings.job_timeout, functions=functions)
        # Its lock goes by its name, so that the parent that follows us needn't wait until it runs out.
        level = _rq_log_level(settings)
        self._scheduler = RQScheduler(QUEUES, self._redis, name=name, serializer=JSONSerializer, logging_level=level)
        self._slots = [_Slot(queue, worker) for queue, worker in zip(QUEUES, worker_names(name), strict=True)]
        self._stopping = False
        self._away = False

    def run(self, grace: float) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self._stopping:
            self._reap()
            try:
                self._turn()
                self._away = False
            except (QueueUnavailable, redis.RedisError) as error:
                if not self._away:
                    log.warning("Redis is away (%s); work goes on when it is back.", error)
                self._away = True
            time.sleep(INTERVAL)
        self._end(grace)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _turn(self) -> None:
        for slot in self._slots:
            if slot.pid is None and time.monotonic() >= slot.not_before:
                self._recover(slot)
                slot.pid = self._fork(slot)
        self._queue.tick(time.time())
        self._scheduler.acquire_locks()
        self._scheduler.enqueue_scheduled_jobs()

    def _recover(self, slot: _Slot) -> None:
        if not slot.dead:
            return
        for identifier in self._queue.recover(slot.name):
            log.warning("Job %s was put back: its worker had died.", identifier)
        slot.dead = False

    def _fork(self, slot: _Slot) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            slot.not_before = time.monotonic() + slot.pause
            return pid
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            die_with_parent(parent)
            stand_back(NICE)
            # RQ sets its own, longer timeouts on this connection: it waits for jobs inside a Redis command.
            NicedWorker(slot.queue, open_redis(self._url), slot.name, self._settings).work(
                logging_level=_rq_log_level(self._settings)
            )
        except BaseException:  # nothing may return into the parent's loop
            log.exception("Worker %s ended.", slot.name)
            os._exit(1)
        os._exit(0)

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.pid is not None and _ended(slot.pid):
                log.warning("Worker %s ended and is started again.", slot.name)
                lived = time.monotonic() - slot.not_before + slot.pause
                slot.pause = 0.1 if lived > LONGEST_PAUSE else min(2 * slot.pause, LONGEST_PAUSE)
                slot.not_before = time.monotonic() + slot.pause
                slot.pid, slot.dead = None, True

    def _end(self, grace: float) -> None:
        """Ask the workers to end, wait, kill what is left (a horse dies with its worker), and put its job back."""
        alive = {slot.pid: slot for slot in self._slots if slot.pid is not None}
        for pid in alive:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while alive and time.monotonic() < deadline:
            alive = {pid: slot for pid, slot in alive.items() if not _ended(pid)}
            time.sleep(0.05)
        for pid, slot in alive.items():
            _signal(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            slot.dead = True
        try:
            for slot in alive.values():
                self._recover(slot)
            self._scheduler.release_locks()
        except (QueueUnavailable, redis.RedisError) as error:
            log.warning("What was running is put back by the next worker: Redis is away (%s).", error)


def _rq_log_level(settings: Settings) -> str:
    """RQ reports every look at its lists, which is for debugging."""
    return "INFO" if settings.log_level == "DEBUG" else "WARNING"


def _preload(names: Sequence[str]) -> None:
    """Import what jobs need, so that a work horse has it when it is forked."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:  # the job says what is missing; others may do without it
            log.warning("%s was not loaded in advance: %s", name, error)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
