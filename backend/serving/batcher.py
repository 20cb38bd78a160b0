"""Requests for the same model at the same time share its batches."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_zoo.base import Model
    from model_zoo.types import Item, Output

PATIENCE = 0.002
"""Seconds that a batch waits at most for requests that are under way to the same model. A lone request never waits."""


@dataclass(eq=False)
class _Part:
    """One request's items on their way through a model; `outputs` or `error` once `done`."""

    items: Sequence[Item]
    outputs: list[Output] | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.outputs is not None or self.error is not None


@dataclass(eq=False)
class _Lane:
    """The requests for one model, which gets at most `largest` items in a call. `expected` counts those that are
    reading their inputs."""

    largest: int
    changed: threading.Condition = field(default_factory=threading.Condition)
    waiting: deque[_Part] = field(default_factory=deque)
    expected: int = 0
    running: bool = False


class Batcher:
    """Joins what several threads ask of a model at the same time. While a batch runs the next one gathers, so nobody
    waits for company unless it is announced."""

    def __init__(self, largest: int | None = None, patience: float = PATIENCE) -> None:
        """`largest` is in place of what models say."""
        self._largest = largest
        self._patience = patience
        self._guard = threading.Lock()
        self._lanes: weakref.WeakKeyDictionary[Model, _Lane] = weakref.WeakKeyDictionary()

    @contextmanager
    def announced(self, model: Model) -> Iterator[None]:
        """Whoever is about to call `predict`, and reads inputs meanwhile, says so."""
        lane = self._lane(model)
        with lane.changed:
            lane.expected += 1
        try:
            yield
        finally:
            with lane.changed:
                lane.expected -= 1
                lane.changed.notify_all()

    def predict(self, model: Model, items: Sequence[Item]) -> list[Output]:
        """One output an item, in order. Raises what the model raises for a batch that these items were in."""
        if not items:
            return []
        lane, part = self._lane(model), _Part(items)
        with lane.changed:
            lane.waiting.append(part)
            lane.changed.notify_all()
        while batch := self._next(lane, part):
            # Whoever is free runs the next batch, be its own items in it or after it.
            self._run(model, lane, batch)
        if part.error is not None:
            raise part.error
        return part.outputs or []

    def _next(self, lane: _Lane, part: _Part) -> list[_Part]:
        """A batch to run, once nobody else does; nothing when the part is done meanwhile."""
        with lane.changed:
            while lane.running and not part.done:
                lane.changed.wait()
            if part.done:
                return []
            lane.running = True
            return self._gather(lane)

    def _gather(self, lane: _Lane) -> list[_Part]:
        """Take a batch, after waiting for announced requests as long as patience lasts."""
        until = time.monotonic() + self._patience
        while self._room(lane) and len(lane.waiting) < lane.expected:
            if not lane.changed.wait(max(until - time.monotonic(), 0)):
                break
        batch = [lane.waiting.popleft()]
        while lane.waiting and sum(len(part.items) for part in (*batch, lane.waiting[0])) <= lane.largest:
            batch.append(lane.waiting.popleft())
        return batch

    def _room(self, lane: _Lane) -> bool:
        return sum(len(part.items) for part in lane.waiting) < lane.largest

    def _run(self, model: Model, lane: _Lane, batch: Sequence[_Part]) -> None:
        try:
            _answer(model, batch)
        finally:
            with lane.changed:
                lane.running = False
                lane.changed.notify_all()

    def _lane(self, model: Model) -> _Lane:
        with self._guard:
            return self._lanes.setdefault(model, _Lane(self._largest or model.at_once))


def _answer(model: Model, batch: Sequence[_Part]) -> None:
    """Run a batch. Where it fails its parts run apart, so that one request's odd item costs no other request."""
    try:
        outputs = model.predict([item for part in batch for item in part.items])
    except Exception as error:  # noqa: BLE001 - raised again in the thread whose items these are
        if len(batch) == 1:
            batch[0].error = error
        else:
            for part in batch:
                _answer(model, [part])
        return
    start = 0
    for part in batch:
        part.outputs = outputs[start : start + len(part.items)]
        start += len(part.items)
