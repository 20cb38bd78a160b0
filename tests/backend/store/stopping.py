"""A store whose writer stops at a chosen moment, for every moment there is."""

from __future__ import annotations

from backend.store.objects import ObjectStore


class Stopped(Exception):
    """The writer has stopped, as if killed."""


class StoppingStore(ObjectStore):
    """A store whose writer stops for good before its `writes` + 1st write."""

    def __init__(self, url: str, writes: int) -> None:
        super().__init__(url)
        self._left = writes

    def write(self, name: str, data: bytes) -> None:
        self._count()
        super().write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        self._count()
        return super().create(name, data)

    def _count(self) -> None:
        if self._left == 0:
            raise Stopped
        self._left -= 1
