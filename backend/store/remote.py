"""Objects on whatever fsspec reaches: S3, Google Cloud Storage, a file server, memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import fsspec

from backend.store.local import is_temporary, temporary_name

_PUTS_WHOLE = frozenset({"memory", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss"})
"""Protocols whose put shows nothing before it is complete and refuses an existing name when asked to.

The others get a temporary name and a move, which leaves `create` a gap between looking and moving.
"""


class RemoteFolder:
    """A folder of objects at an fsspec URL. Raises `FileNotFoundError`, and whatever the protocol's library raises."""

    def __init__(self, url: str, protocol: str) -> None:
        self._url = url
        self._puts_whole = protocol in _PUTS_WHOLE
        self._root = str(self._located()[1]).rstrip("/")

    def read(self, name: str) -> bytes:
        return bytes(self._filesystem.cat_file(self._at(name)))

    def write(self, name: str, data: bytes) -> None:
        if self._puts_whole:
            self._filesystem.pipe_file(self._at(name), data)
        else:
            self._write_and_move(name, data)

    def create(self, name: str, data: bytes) -> bool:
        if not self._puts_whole:
            if self.exists(name):
                return False
            self._write_and_move(name, data)
            return True
        try:
            self._filesystem.pipe_file(self._at(name), data, mode="create")
        except FileExistsError:
            return False
        return True

    def exists(self, name: str) -> bool:
        return bool(self._filesystem.isfile(self._at(name)))

    def list(self, prefix: str) -> Iterator[str]:
        names = (
            path.strip("/")[len(self._root.strip("/")) :].strip("/") for path in self._filesystem.find(self._at(prefix))
        )
        return (name for name in names if not is_temporary(name))

    def folders(self, prefix: str) -> Iterator[str]:
        try:
            entries = self._filesystem.ls(self._at(prefix), detail=True)
        except FileNotFoundError:
            entries = []
        return (PurePosixPath(entry["name"]).name for entry in entries if entry["type"] == "directory")

    def delete(self, name: str) -> None:
        try:
            self._filesystem.rm_file(self._at(name))
        except FileNotFoundError:
            return

    def delete_folder(self, prefix: str) -> None:
        if self._filesystem.exists(self._at(prefix)):
            self._filesystem.rm(self._at(prefix), recursive=True)

    def _write_and_move(self, name: str, data: bytes) -> None:
        filesystem, target = self._filesystem, PurePosixPath(self._at(name))
        temporary = str(target.with_name(temporary_name(target.name)))
        filesystem.makedirs(str(target.parent), exist_ok=True)
        filesystem.pipe_file(temporary, data)
        filesystem.mv(temporary, str(target))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    @property
    def _filesystem(self) -> Any:
        """Asked for at every use: fsspec keeps one instance a process, and a forked child must not use its parent's."""
        return self._located()[0]

    def _located(self) -> tuple[Any, str]:
        # A cached listing would hide what other processes have published.
        filesystem, root = fsspec.core.url_to_fs(self._url, use_listings_cache=False)
        return filesystem, root
