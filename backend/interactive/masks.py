"""A click or a box to a mask, by the best engine there is time for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

from backend.interactive.images import ImageCache
from model_zoo.interactive.prompts import Engine, Masked, Pixels, Prompt

log = logging.getLogger(__name__)


@dataclass
class Best:
    """The best answer so far, to be taken at the end of the budget."""

    found: Masked | None = None


class Masker:
    """Asks `engines`, the best first; the last one is the floor, and needs no features."""

    def __init__(self, engines: Sequence[Engine], cache: ImageCache) -> None:
        self._engines = engines
        self._cache = cache

    def prepare(self, key: Hashable, pixels: Pixels) -> None:
        """Begin what answers on this image will need; returns at once."""
        for engine in self._engines[:-1]:
            self._cache.features(key, engine.name, engine.features, engine.nbytes, pixels)

    def mask(
        self, key: Hashable, pixels: Pixels, prompt: Prompt, deadline: float, keep: Callable[[Masked], None]
    ) -> None:
        """Answer; `keep` is given each answer that is better than those before it.

        What a better engine needs of the image may still be computed at the first click. Meanwhile the floor answers,
        and what was computed serves the next click where it comes too late for this one.
        """
        *better, floor = self._engines
        waiting = [
            (engine, self._cache.features(key, engine.name, engine.features, engine.nbytes, pixels))
            for engine in better
        ]
        answered = False
        if not any(future.done() for _, future in waiting):
            answered = _ask(floor, pixels, None, prompt, keep)
        for engine, future in waiting:
            try:
                features = future.result(max(deadline - time.monotonic(), 0))
            except FutureTimeout:
                continue
            except Exception:  # weights that are damaged must not keep the floor from answering
                log.warning("The engine %s sees nothing in an image.", engine.name, exc_info=True)
                continue
            if _ask(engine, pixels, features, prompt, keep):
                return
        if not answered:
            _ask(floor, pixels, None, prompt, keep)


def _ask(engine: Engine, pixels: Pixels, features: object, prompt: Prompt, keep: Callable[[Masked], None]) -> bool:
    try:
        found = engine.mask(pixels, features, prompt)
    except Exception:  # whatever an engine makes of an odd image must not cost the answer of the others
        log.warning("The engine %s failed at a prompt.", engine.name, exc_info=True)
        return False
    if found is None or not found.mask.any():
        return False
    keep(found)
    return True
