"""Keeps the worker busy for as long as a block runs: new tasks to encode, new labels to learn from."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from tests.benchmarks.projects import add_texts, upload
from tests.benchmarks.stage import Stage

NEW_IMAGES = 20
NEW_TEXTS = 40
LOOK = 0.1


class Pressure:
    """In rounds: images and texts arrive, one of each is labelled, both projects train. `share` of the time in which
    a training ran or was queued; `rounds` that were completed. A failure is raised at the end of the block."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: BaseException | None = None
        self._looks: list[bool] = []
        self.rounds = 0

    def __enter__(self) -> Pressure:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    @property
    def share(self) -> float:
        return sum(self._looks) / max(1, len(self._looks))

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._round()
                self.rounds += 1
        except Exception as error:  # noqa: BLE001 - raised again where the block ends
            self._error = error

    def _round(self) -> None:
        stage = self._stage
        upload(stage.images, NEW_IMAGES)
        add_texts(stage.texts, NEW_TEXTS)
        for known in (stage.images, stage.texts):
            for task in known.unlabelled(1):
                known.submit(task)
            stage.backend.post("/train", {"project": known.uid})
        while not self._stop.wait(LOOK):
            self._looks.append(not stage.backend.is_idle())
            if not self._looks[-1]:
                return


def settle(stage: Stage) -> None:
    """Wait until nothing runs, and let the machine calm down."""
    stage.backend.rest()
    time.sleep(1.0)
