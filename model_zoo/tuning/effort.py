"""What trying larger recipes may cost, and what is said of it meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from model_zoo.base import Progress, Watch
from model_zoo.errors import Cancelled

Check = Callable[[], None]
"""Called between two batches; may raise."""
PATIENCE = 3.0
"""How many times the time that was reckoned with a trial may take before it is given up."""


class TooSlow(Exception):
    """This machine takes far longer than was reckoned with."""


class Effort:
    """Tells the watch how far work is that begins at `start` of the whole, asks it whether to go on, and ends what
    takes much longer than so many seconds of a core; None for as long as it may take.

    That limit is a last resort: how long the work takes is reckoned beforehand, or the same examples would not always
    give the same model.
    """

    def __init__(self, watch: Watch, start: float, seconds: float | None) -> None:
        self._watch = watch
        self._told = start
        self._limit = None if seconds is None else time.process_time() + PATIENCE * seconds

    def check(self) -> None:
        """Raises `Cancelled`, `TooSlow`."""
        if self._watch.cancelled():
            raise Cancelled("Training was stopped on request.")
        if self._limit is not None and time.process_time() > self._limit:
            raise TooSlow

    def part(self, share: float, message: str) -> Callable[[float, float], None]:
        """Tells of a part that takes so large a share of what is left."""
        begun, length = self._told, (0.999 - self._told) * share

        def told(done: float, loss: float) -> None:
            self.check()
            fraction = begun + length * done
            if fraction >= self._told + 0.01:
                self._told = fraction
                self._watch.report(Progress(fraction, message, loss))

        return told


def beginning(watch: Watch, share: float) -> Watch:
    """The watch of a part that comes first and is such a share of the whole."""
    return Watch(
        lambda said: watch.report(Progress(said.fraction * share, said.message, said.loss, said.epoch)),
        watch.cancelled,
    )


def later(watch: Watch, start: float) -> Watch:
    """The watch of what comes last, and begins at `start` of the whole."""
    return Watch(
        lambda said: watch.report(
            Progress(start + (0.999 - start) * said.fraction, said.message, said.loss, said.epoch)
        ),
        watch.cancelled,
    )
