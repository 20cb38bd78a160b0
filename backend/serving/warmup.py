"""Loads in the background what the next `/predict` would wait for otherwise: torch, an encoder, a version's models.

The imports alone take seconds. A server does this for projects that it will be asked about; nobody waits for it, and
one that fails costs nothing but the wait later.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.serving.pool import LoadedVersion

log = logging.getLogger(__name__)

DELAY = 0.5
"""Seconds for which other threads come first: a server that just started is asked for its health."""


class WarmUp:
    """A thread that calls `load(uid)` for each project it is told about, one at a time."""

    def __init__(self, load: Callable[[str], None]) -> None:
        self._load = load
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._known: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prelabel-warmup", daemon=True)

    def ask(self, uid: str) -> None:
        """Have the project's models loaded soon, unless they were asked for already. Returns at once."""
        if uid not in self._known:
            self._known.add(uid)
            self._wanted.put(uid)

    def again(self, uid: str) -> None:
        """Forget that the project was asked for: its version is another now."""
        self._known.discard(uid)
        self.ask(uid)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread; what is being loaded is waited for some seconds."""
        self._stop.set()
        self._wanted.put("")
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        self._stop.wait(DELAY)
        while uid := self._wanted.get():
            if self._stop.is_set():
                return
            try:
                self._load(uid)
            except Exception as error:  # noqa: BLE001 - whatever it is, the request that needs the models reports it
                log.info("Project %s is not loaded in advance: %s", uid, error)


def exercise(version: LoadedVersion) -> None:
    """Predict something with each of the version's models: encoders are loaded when they first encode."""
    # Imported here, as everywhere in a server: see above.
    import numpy as np

    from model_zoo.types import Box, RegionItem, Span, TaskKind

    texts = (TaskKind.TEXT_CLASSIFICATION, TaskKind.NAMED_ENTITIES, TaskKind.SPAN_CLASSIFICATION)
    for loaded in version.controls.values():
        if loaded.family.task in texts:
            item = RegionItem("a text", regions=(Span(0, 6, ""),))
        else:
            item = RegionItem(np.zeros((64, 64, 3), np.uint8), regions=(Box(0, 0, 100, 100, ""),))
        loaded.model.predict([item])
