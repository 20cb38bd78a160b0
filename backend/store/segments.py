"""An append-only log on stores that cannot append: immutable segments, merged now and then.

Merging writes the merged segment before it deletes the old ones, so that nothing is lost whenever it dies. A reader
may meet an entry twice meanwhile: what is kept here must bear that.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

from backend.errors import StoreError
from backend.store.objects import ObjectMissing, ObjectStore

_T = TypeVar("_T")
_ATTEMPTS = 20
_LONGEST_WAIT = 0.2
"""Seconds before the last attempt: processes that merge the same folder at once get out of each other's way."""


class SegmentLog:
    """The segments of one folder. Stateless: safe for threads and processes."""

    def __init__(self, store: ObjectStore, folder: str, suffix: str) -> None:
        self._store = store
        self._folder = folder
        self._suffix = suffix

    def append(self, data: bytes) -> str:
        """Store one segment; its name."""
        name = f"{self._folder}/{time.time_ns():020d}-{secrets.token_hex(4)}{self._suffix}"
        self._store.write(name, data)
        return name

    def names(self) -> list[str]:
        """All segments, oldest first."""
        return [name for name in self._store.list(self._folder) if name.endswith(self._suffix)]

    def load(self, read: Callable[[str], _T], known: Mapping[str, _T]) -> dict[str, _T]:
        """All segments by name, oldest first: taken from `known`, which never goes stale, or else from `read`.

        A folder that is listed while segments are merged may show neither the old ones nor the new one. So it is
        listed twice: what the first listing lacks for that reason is in the second, unless that one was listed while
        others were merged, and then it lacks some of the first. Segments that are added meanwhile do no harm.
        """
        before = self.names()
        for attempt in range(_ATTEMPTS):
            listed = self.names()
            if set(before) <= set(listed):
                with suppress(ObjectMissing):  # merged away between the listing and the reading
                    return {name: known[name] if name in known else read(name) for name in listed}
            before = listed
            time.sleep(random.uniform(0, _LONGEST_WAIT * attempt / _ATTEMPTS))
        raise StoreError(f"{self._folder} changed {_ATTEMPTS} times while it was read. Try again.")

    def merge(self, names: Iterable[str], data: bytes) -> None:
        """Replace the segments `names` by one, which must hold all that they hold."""
        self.append(data)
        for name in names:
            self._store.delete(name)
