"""How handlers call the services: in threads, long work apart from short, so that the event loop never waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Depends, Request

from backend.server.protocol import ServicesProtocol

P = ParamSpec("P")
T = TypeVar("T")

QUICK_THREADS = 32
"""Threads for calls that take milliseconds."""

LONG_THREADS = 8
"""Predictions at a time: enough to share batches; more only wait for each other, and would hold up everything else."""

CLICK_THREADS = 8
"""Interactive answers at a time: apart from predictions, behind which nobody who has clicked shall wait."""


class Calls:
    """The services of one app, with the threads to call them in."""

    def __init__(self, services: ServicesProtocol) -> None:
        self.services = services
        self._quick = CapacityLimiter(QUICK_THREADS)
        self._long = CapacityLimiter(LONG_THREADS)
        self._clicks = CapacityLimiter(CLICK_THREADS)

    async def quick(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what takes milliseconds."""
        return await run_sync(partial(function, *args, **kwargs), limiter=self._quick)

    async def long(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what may take seconds."""
        return await run_sync(partial(function, *args, **kwargs), limiter=self._long)

    async def click(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what somebody waits for with the mouse in the hand."""
        return await run_sync(partial(function, *args, **kwargs), limiter=self._clicks)


def _calls(request: Request) -> Calls:
    calls: Calls = request.app.state.calls
    return calls


CallsOfApp = Annotated[Calls, Depends(_calls)]
"""What a handler declares to get its app's `Calls`."""
