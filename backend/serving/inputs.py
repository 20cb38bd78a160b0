"""From a task's data to what a model is given: the text itself, or an image file fetched ahead of the model."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from backend.converters import CONVERTERS
from backend.converters.base import text_of
from backend.errors import MediaError, PrelabelError, TaskUnusable
from backend.labelstudio.config import Control
from backend.labelstudio.media.locations import shown
from backend.store.features import feature_key
from model_zoo.errors import UnreadableInput
from model_zoo.images import MAX_PIXELS, check_image
from model_zoo.types import Input, Item

log = logging.getLogger(__name__)

T = TypeVar("T")

AHEAD = 64
"""Media that are fetched before they are asked for."""
DECODED_AHEAD = 32
"""Media that are fetched and decoded before they are asked for: up to some 30 MB of pixels."""

Task = dict[str, Any]
"""A task as Label Studio sends it: `id`, `data`, and more."""


class Media(Protocol):
    """Where the files that tasks point to come from: a `MediaFetcher`, or a folder. All raise `MediaError`."""

    def fetch(self, url: str, *, task_id: int | None = None) -> Path: ...
    def fetch_text(self, url: str, *, task_id: int | None = None) -> str: ...
    def forget(self, url: str, *, task_id: int | None = None) -> None: ...


def content_key(control: Control, task: Task) -> str:
    """The key under which features of this control's input are stored: SHA-256 of the text or of the media's URL.

    A URL stands for what it shows: Label Studio never puts other bytes under an upload's address.
    """
    value = CONVERTERS[control.tag].input_of(control, data_of(task))
    return feature_key(f"{control.object_tag}\0{value}")


def data_of(task: Any) -> dict[str, Any]:
    """The task's data, checked. Raises `TaskUnusable`."""
    if not isinstance(task, dict):
        raise TaskUnusable(f"Got a task that is a {type(task).__name__}, wanted an object with `id` and `data`.")
    data = task.get("data")
    if not isinstance(data, dict):
        raise TaskUnusable(f"Got task data of type {type(data).__name__}, wanted an object; import the task again.")
    return data


class InputReader:
    """Reads inputs; several media at once, ahead of whoever consumes them."""

    def __init__(self, media: Media, parallel: int = 8, max_pixels: int = MAX_PIXELS) -> None:
        self._media = media
        self._max_pixels = max_pixels
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="prelabel-media")

    def read(self, control: Control, task: Task) -> Input:
        """The input of one task, also for a control that is not learnt. Raises `TaskUnusable`, of which `MediaError`
        is one."""
        value = _value_of(control, task)
        if not control.fetched:
            return value
        known_id = _id_of(task)
        if control.object_tag == "Image":
            return self._image(value, known_id)
        text = self._media.fetch_text(value, task_id=known_id)
        return CONVERTERS[control.tag].input_of(replace(control, fetched=False), {control.data_key: text})

    def forget(self, control: Control, task: Task) -> None:
        """Fetch the medium anew the next time: it is no longer what it was."""
        if control.fetched:
            self._media.forget(_value_of(control, task), task_id=_id_of(task))

    def read_many(
        self, control: Control, tasks: Sequence[Any], deadline: float | None = None
    ) -> Generator[Input | PrelabelError, None, None]:
        """Inputs in order, or why there is none; at most `AHEAD` media are fetched before they are asked for.

        Ends before the last task when `deadline` (`time.monotonic`) passes, and waits for no medium beyond it.
        """
        return self._each(control, tasks, lambda task: self._read_or_reason(control, task), AHEAD, deadline)

    def read_items(
        self,
        control: Control,
        tasks: Sequence[Any],
        prepare: Callable[[Item], Item],
        deadline: float | None = None,
    ) -> Generator[Item | PrelabelError, None, None]:
        """Items in order like `read_many`'s inputs; media are not only fetched ahead of the model but decoded, too."""

        def ready(task: Any) -> Item | PrelabelError:
            return self._ready_or_reason(control, task, prepare)

        return self._each(control, tasks, ready, DECODED_AHEAD, deadline)

    def _each(
        self, control: Control, tasks: Sequence[Any], work: Callable[[Any], T], ahead: int, deadline: float | None
    ) -> Generator[T, None, None]:
        results = self._in_threads(tasks, work, ahead, deadline) if control.fetched else _here(tasks, work)
        with closing(results):
            while deadline is None or time.monotonic() < deadline:
                try:
                    yield next(results)
                except (StopIteration, FutureTimeout):
                    return

    def _in_threads(
        self, tasks: Sequence[Any], work: Callable[[Any], T], ahead: int, deadline: float | None
    ) -> Generator[T, None, None]:
        upcoming = iter(tasks)
        pending = deque(self._threads.submit(work, task) for task in islice(upcoming, ahead))
        try:
            while pending:
                left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
                yield pending[0].result(left)
                pending.popleft()
                pending.extend(self._threads.submit(work, task) for task in islice(upcoming, 1))
        finally:  # whoever stops asking early, at a deadline say, must not leave work behind
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """End the fetching threads; what is in flight is waited for no longer than its own time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _read_or_reason(self, control: Control, task: Any) -> Input | PrelabelError:
        try:
            return self.read(control, task)
        except PrelabelError as error:
            return error
        except Exception as error:  # whatever an odd address breaks costs that one task only
            log.exception("Reading a task's input failed.")
            return TaskUnusable(f"Its input could not be read ({type(error).__name__}: {error}).")

    def _ready_or_reason(self, control: Control, task: Any, prepare: Callable[[Item], Item]) -> Item | PrelabelError:
        value = self._read_or_reason(control, task)
        if isinstance(value, PrelabelError):
            return value
        try:
            return prepare(Item(value))
        except UnreadableInput as error:
            if not control.fetched:
                return TaskUnusable(str(error))
            url = CONVERTERS[control.tag].input_of(control, data_of(task))
            return self._unusable(url, _id_of(task), error)
        except Exception as error:  # whatever a decoder throws at an odd file costs that one task only
            log.exception("Preparing a task's input failed.")
            return TaskUnusable(f"Its input could not be prepared ({type(error).__name__}: {error}).")

    def _image(self, url: str, task_id: int | None) -> Path:
        """The file, its header judged before it joins a batch: one that fails later costs the batch a second run."""
        path = self._media.fetch(url, task_id=task_id)
        try:
            check_image(path, self._max_pixels)
        except UnreadableInput as error:
            raise self._unusable(url, task_id, error) from None
        return path

    def _unusable(self, url: str, task_id: int | None, error: UnreadableInput) -> MediaError:
        """Why a file is of no use; whoever mends it must not meet the broken one again."""
        self._media.forget(url, task_id=task_id)
        return MediaError(f'"{shown(url)}" cannot be used: {error}')


def _value_of(control: Control, task: Task) -> str:
    """The text or address under the control's data key. Raises `TaskUnusable`."""
    converter = CONVERTERS.get(control.tag)
    data = data_of(task)
    return converter.input_of(control, data) if converter is not None else text_of(control, data)


def _id_of(task: Task) -> int | None:
    task_id = task.get("id")
    return task_id if isinstance(task_id, int) else None


def _here(tasks: Sequence[Any], work: Callable[[Any], T]) -> Generator[T, None, None]:
    yield from map(work, tasks)
