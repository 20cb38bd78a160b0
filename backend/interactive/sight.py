"""Answers about an image: the image read once and kept, engines asked, what they find made into regions to draw."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Protocol

from backend.converters import CONVERTERS
from backend.converters.masks import MaskConverter
from backend.errors import TaskUnusable
from backend.interactive.answers import Drawn
from backend.interactive.asks import Ask, Mode
from backend.interactive.boxes import by_example, companion_of, pointed, tightened
from backend.interactive.engines import Engines
from backend.interactive.images import ImageCache
from backend.interactive.masks import Masker
from backend.interactive.pointing import prompt_of
from backend.labelstudio.config import Control, every_control
from backend.serving.inputs import InputReader
from backend.settings import Settings
from model_zoo.errors import UnreadableInput
from model_zoo.images import read_image
from model_zoo.interactive.alike import Like
from model_zoo.interactive.instances import Proposer
from model_zoo.interactive.prompts import Mask, Masked, Pixels
from model_zoo.masks import mask_of

log = logging.getLogger(__name__)

Size = tuple[int, int]
"""Width and height."""
Keep = Callable[[Sequence[Drawn], Size], None]
"""Takes an answer that is better than those before it, with the size of the image that the page shows."""
Key = tuple[str, int | None]
Wanted = tuple[Mode, Control]
"""What a control asks for, and the control that answers are drawn with."""


class Own(Protocol):
    """What a project's own models see, by its uid and config."""

    def boxes(self, uid: str, xml: str, ask: Ask, task: Any, deadline: float) -> Sequence[Like]: ...
    def segmenter(self, uid: str, xml: str, name: str) -> Proposer | None: ...


class Sight:
    """One process's. Safe for threads."""

    def __init__(self, inputs: InputReader, settings: Settings, own: Own | None = None) -> None:
        self._inputs = inputs
        self._max_pixels = settings.media_max_pixels
        self._cache = ImageCache(settings.interactive_cache_bytes)
        self._engines = Engines(settings.weights_dir)
        self._own = own

    def answer(self, uid: str, xml: str, ask: Ask, task: Any, deadline: float, keep: Keep) -> None:
        """Give `keep` what is found until `deadline` (`time.monotonic`). Raises `TaskUnusable`."""
        pixels, key, size = self._opened(ask, task)
        if ask.mode is Mode.MASK:
            self._mask(uid, xml, ask, (pixels, key, size), deadline, keep)
        elif ask.mode is Mode.POINTS:
            poser = self._engines.poser
            seen = self._seen(key, pixels, poser.name, poser.see, deadline) if poser is not None else None
            find = seen.within if seen is not None else lambda box: None
            keep(pointed(ask, pixels, find, companion_of(ask, every_control(xml))), size)
        else:
            segmenter = self._engines.segmenter
            proposals = None
            if segmenter is not None:
                proposals = self._seen(key, pixels, segmenter.name, segmenter.propose, deadline)
            if ask.mode is Mode.TIGHTEN:
                keep(tightened(ask, pixels, proposals), size)
                return
            keep(by_example(ask, pixels, proposals), size)
            own = self._own.boxes(uid, xml, ask, task, deadline) if self._own is not None else ()
            if own:
                keep(by_example(ask, pixels, proposals, own), size)

    def prepare(self, uid: str, xml: str, control: Control, wanted: Collection[Wanted], task: Any) -> None:
        """Begin what answers on the task's image will need. Raises `TaskUnusable`."""
        modes = {mode for mode, _ in wanted}
        key = _key(control, task)
        pixels = self._pixels(control, task, key)
        for mode, output in wanted:
            if mode is Mode.MASK:
                self._masker(uid, xml, output).prepare(key, pixels)
        if {Mode.SIMILAR, Mode.TIGHTEN} & modes and (segmenter := self._engines.segmenter) is not None:
            self._cache.features(key, segmenter.name, segmenter.propose, _size_of, pixels)
        if Mode.POINTS in modes and (poser := self._engines.poser) is not None:
            self._cache.features(key, poser.name, poser.see, _size_of, pixels)

    def close(self) -> None:
        self._cache.close()

    def _masker(self, uid: str, xml: str, output: Control) -> Masker:
        own = self._own.segmenter(uid, xml, output.name) if self._own is not None else None
        return Masker(self._engines.with_own(own), self._cache)

    def _mask(
        self, uid: str, xml: str, ask: Ask, opened: tuple[Pixels, Key, Size], deadline: float, keep: Keep
    ) -> None:
        pixels, key, size = opened
        prompt = prompt_of(ask.drawn, ask.output, ask.label, pixels.shape[1], pixels.shape[0])
        if not prompt.says_something:
            return

        def draw(found: Masked) -> None:
            shown = _resized(found.mask, size)
            value = _written(ask.output, shown)
            keep([] if value is None else [Drawn(ask.output, value, ask.label, found.confidence)], size)

        self._masker(uid, xml, ask.output).mask(key, pixels, prompt, deadline, draw)

    def _opened(self, ask: Ask, task: Any) -> tuple[Pixels, Key, Size]:
        """The image, its key, and the size in which the page has it: where that is another, the image is read anew."""
        key = _key(ask.control, task)
        pixels = self._pixels(ask.control, task, key)
        shown = _shown(ask)
        if shown is not None and shown != (pixels.shape[1], pixels.shape[0]):
            self._inputs.forget(ask.control, task)
            self._cache.forget(key)
            pixels = self._pixels(ask.control, task, key)
        return pixels, key, shown or (pixels.shape[1], pixels.shape[0])

    def _pixels(self, control: Control, task: Any, key: Key) -> Pixels:
        def opened() -> Pixels:
            try:
                return read_image(self._inputs.read(control, task), self._max_pixels)
            except UnreadableInput as error:
                self._inputs.forget(control, task)
                raise TaskUnusable(str(error)) from None

        return self._cache.pixels(key, opened)

    def _seen(self, key: Key, pixels: Pixels, name: str, compute: Callable[[Pixels], Any], deadline: float) -> Any:
        """What an engine sees in the image; None where that takes too long or fails."""
        future: Future[Any] = self._cache.features(key, name, compute, _size_of, pixels)
        try:
            return future.result(max(deadline - time.monotonic(), 0))
        except FutureTimeout:
            log.info("The engine %s was not done in time; the next answer has it.", name)
        except Exception:  # damaged weights must not keep the floor from answering
            log.warning("The engine %s sees nothing in an image.", name, exc_info=True)
        return None


def _size_of(features: Any) -> int:
    return int(features.nbytes)


def _key(control: Control, task: Any) -> Key:
    """Two tasks may show the same address; a task may be given another one."""
    data, task_id = task.get("data") or {}, task.get("id")
    return str(data.get(control.data_key)), task_id if isinstance(task_id, int) else None


def _shown(ask: Ask) -> Size | None:
    """The size of the image as the page has it; None where it does not say."""
    sides = ask.newest.get("original_width"), ask.newest.get("original_height")
    width, height = (side if isinstance(side, int) and 0 < side <= 100_000 else 0 for side in sides)
    return (width, height) if width and height and width * height <= 80_000_000 else None


def _resized(mask: Mask, size: Size) -> Mask:
    import cv2
    import numpy as np

    if mask.shape == size[::-1]:
        return mask
    scaled: Mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return scaled


def _written(control: Control, shown: Mask) -> dict[str, Any] | None:
    """The `value` of a region of the control that shows the pixels (height, width); None where it cannot."""
    converter, mask = CONVERTERS.get(control.tag), mask_of("", shown, (shown.shape[1], shown.shape[0]))
    return converter.write(mask) if isinstance(converter, MaskConverter) and mask is not None else None
