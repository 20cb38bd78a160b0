"""What a training tells those who follow it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from model_zoo.base import Progress, Watch
from model_zoo.errors import Cancelled


class Course:
    """Tells the watch how far a training is, and asks it whether to go on."""

    PREPARED, FOLDS = 0.15, 0.6
    """Shares of the whole at which views are cached and cross-validation ends."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._told = 0.0
        self._cached = 0

    def check(self) -> None:
        if self._watch.cancelled():
            raise Cancelled("Training was stopped on request.")

    def cached(self, count: int) -> Callable[[], None]:
        def one() -> None:
            self.check()
            # Whoever goes on looking at cached views goes on asking.
            self._cached = min(self._cached + 1, count)
            self._tell(self.PREPARED * self._cached / count, f"{self._cached} of {count} views seen", None)

        return one

    def folds(self, parts: Sequence[str], share: float, loss: float) -> None:
        self.check()
        self._tell(self.PREPARED + (self.FOLDS - self.PREPARED) * share, f"trying {', '.join(parts)}", loss)

    def part(self, number: int, count: int, epochs: int) -> Callable[[float, float], None]:
        """For one of several stages on all images, each of so many epochs."""

        def told(share: float, loss: float) -> None:
            self.check()
            fraction = self.FOLDS + (0.999 - self.FOLDS) * (number + share) / count
            epoch = (min(int(share * epochs) + 1, epochs), epochs)
            self._tell(fraction, "training on all images", loss, epoch)

        return told

    def _tell(self, fraction: float, message: str, loss: float | None, epoch: tuple[int, int] | None = None) -> None:
        """Fractions never fall: a second rung is tried within the time that the first one seemed to need."""
        if fraction >= self._told + 0.01:
            self._told = fraction
            self._watch.report(Progress(fraction, message, loss, epoch))
