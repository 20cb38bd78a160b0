"""A server's thread that enqueues trainings and refreshes when they are due."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from backend.errors import PrelabelError, QueueUnavailable
from backend.jobs.queue import Queue

log = logging.getLogger(__name__)

TICK = 0.5
"""Seconds between two looks at what is due."""
COURTESY = 0.1
"""Seconds after an event after which the training that it sets off is enqueued: a worker forks for it, which would slow
the rest of the annotator's request that the event was sent in."""


class Ticker:
    """A project that `soon` names is looked at just when its mark is due, not up to a tick later."""

    def __init__(self, jobs: Queue) -> None:
        self._jobs = jobs
        self._retry: Callable[[], None] = lambda: None
        self._named: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prelabel-ticker", daemon=True)

    def start(self, retry: Callable[[], None] = lambda: None) -> None:
        """`retry` is called at each look, for what could not be marked while Redis was away; it may raise like the
        queue."""
        self._retry = retry
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._named.put("")
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def soon(self, uid: str) -> None:
        """Enqueue the project's training when its mark is due, which is now or in a moment. Returns at once."""
        self._named.put(uid)

    def _run(self) -> None:
        named: set[str] = set()
        wait = TICK
        while not self._stop.is_set():
            named |= self._wait(wait)
            if self._stop.is_set():
                return
            try:
                named, wait = self._hasten(named)
                self._retry()
                self._jobs.tick(time.time())
            except QueueUnavailable as error:
                log.debug("Nothing is enqueued while Redis is away: %s", error)
            except PrelabelError as error:
                log.warning("Looking for due work failed and is tried again: %s", error)
            except Exception:  # without this thread nothing would be trained again
                log.exception("Looking for due work failed and is tried again.")

    def _wait(self, seconds: float) -> set[str]:
        """The projects that are named within so many seconds, at the end of which there may be none."""
        try:
            found = {self._named.get(timeout=seconds)}
        except queue.Empty:
            return set()
        self._stop.wait(COURTESY)
        while not self._named.empty():
            found.add(self._named.get())
        return found

    def _hasten(self, named: set[str]) -> tuple[set[str], float]:
        """Enqueue those that are due; the others, and the seconds until the next of them is."""
        if not named:
            return set(), TICK
        now, due = time.time(), self._jobs.due()
        for uid in named & due.keys():
            if due[uid] <= now:
                self._jobs.hasten(uid)
        later = {uid for uid in named & due.keys() if due[uid] > now}
        return later, min([TICK, *(due[uid] - now for uid in later)])
