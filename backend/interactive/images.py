"""Images that are being annotated, decoded, with what engines computed of them: bounded, and never needed.

Any process may get the next click, and entries go at any time: whoever asks gets them computed again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from model_zoo.interactive.prompts import Pixels

WORKERS = 2
"""Features that are computed at a time; more would only wait for the same cores."""


class _Entry:
    """One image. `features` by the name of what computed them."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.features: dict[str, Future[Any]] = {}
        self.sizes: dict[str, int] = {}

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes + sum(self.sizes.values())


class ImageCache:
    """The most recently used images, within `budget` bytes. Safe for threads."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="prelabel-interactive")

    def pixels(self, key: Hashable, read: Callable[[], Pixels]) -> Pixels:
        """The image under `key`, read where it is not there. Raises what `read` raises."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                return entry.pixels
        entry = _Entry(read())
        with self._lock:
            # Somebody else may have read it meanwhile: what is computed of theirs is then known for both.
            entry = self._entries.setdefault(key, entry)
            self._shrink()
        return entry.pixels

    def features(
        self, key: Hashable, name: str, compute: Callable[[Pixels], Any], size: Callable[[Any], int], pixels: Pixels
    ) -> Future[Any]:
        """What `compute` makes of an image: begun in the background unless it is there or under way."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.pixels is not pixels:
                return self._threads.submit(compute, pixels)  # it has gone since, or is too large to be kept
            known = entry.features.get(name)
            if known is not None and not (known.done() and known.exception() is not None):
                return known
            future = entry.features[name] = self._threads.submit(compute, pixels)
        future.add_done_callback(lambda done: self._measure(key, entry, name, done, size))
        return future

    def forget(self, key: Hashable) -> None:
        """Drop an image that is no longer what it was."""
        with self._lock:
            self._entries.pop(key, None)

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(entry.nbytes for entry in self._entries.values())

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _measure(self, key: Hashable, entry: _Entry, name: str, done: Future[Any], size: Callable[[Any], int]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        taken = size(done.result())
        with self._lock:
            entry.sizes[name] = taken
            self._shrink()

    def _shrink(self) -> None:
        """Drop the least recently used beyond the budget; one that is too large by itself goes as well."""
        total = sum(entry.nbytes for entry in self._entries.values())
        while self._entries and total > self._budget:
            total -= self._entries.popitem(last=False)[1].nbytes
