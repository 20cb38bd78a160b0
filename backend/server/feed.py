"""Jobs as they change, for everybody who looks at once: one look at the queue a second, however many listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from backend.errors import PrelabelError, QueueUnavailable
from backend.server.calls import Calls

INTERVAL = 1.0
"""Seconds between two looks at the queue, and the longest that a stream outlives the server's end."""
SILENCE = 15.0
"""Seconds after which a line is sent although nothing changed, so that a client which is gone is noticed."""
MOST = 64
"""Streams at a time. Each costs a socket and one message; pages poll where there is no room."""


class TooManyListeners(PrelabelError):
    """No room for another stream."""


class JobFeed:
    """Hands what `/api/jobs/events` says to its clients. Lives on the event loop and takes no lasting thread.

    A client that reads slowly skips states and never sees one late: only the newest is kept for it.
    """

    def __init__(self, calls: Calls) -> None:
        self.stopping: Callable[[], bool] = lambda: False
        """Whoever runs the app puts in here what tells that it is to end: streams end then, and hold nobody up."""
        self._calls = calls
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._last = ""

    def listen(self) -> AsyncIterator[str]:
        """Server-sent events: `jobs` with everything that runs or waits, now and at each change.

        Raises `TooManyListeners`.
        """
        if len(self._listeners) >= MOST:
            raise TooManyListeners(f"{MOST} streams of jobs are open already. Ask GET /api/jobs now and then instead.")
        return self._events()

    async def _events(self) -> AsyncIterator[str]:
        mine: asyncio.Queue[str | None] = asyncio.Queue(1)
        self._listeners.add(mine)
        try:
            yield "retry: 2000\n\n"
            if self._looking is None or self._looking.done():
                self._last = ""
                self._looking = asyncio.create_task(self._look())
            elif self._last:
                _offer(mine, self._last)
            while True:
                try:
                    said = await asyncio.wait_for(mine.get(), SILENCE)
                except asyncio.TimeoutError:
                    yield ": nothing changed\n\n"
                    continue
                if said is None:
                    return
                yield f"event: jobs\ndata: {said}\n\n"
        finally:
            self._listeners.discard(mine)

    async def _look(self) -> None:
        """Until nobody listens or the server stops; the streams end with it."""
        try:
            while self._listeners and not self.stopping():
                said = json.dumps(await self._state(), separators=(",", ":"))
                if said != self._last:
                    self._last = said
                    for listener in self._listeners:
                        _offer(listener, said)
                await asyncio.sleep(INTERVAL)
        finally:
            for listener in self._listeners:
                _offer(listener, None)

    async def _state(self) -> dict[str, Any]:
        try:
            jobs = await self._calls.quick(self._calls.services.queue.jobs, alive=True)
        except QueueUnavailable:
            return {"queue": False, "jobs": []}
        return {"queue": True, "jobs": [job.to_json() for job in jobs]}


def _offer(listener: asyncio.Queue[str | None], said: str | None) -> None:
    """Replace what the listener has not taken yet."""
    with suppress(asyncio.QueueEmpty):
        listener.get_nowait()
    listener.put_nowait(said)
