"""Fetched files on disk, bounded in bytes, shared by all threads and processes of one machine."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from backend.errors import MediaError

KEPT = 3 / 4
"""Share of the bound that is left after clearing."""
STRIDE = 1 / 32
"""A process looks at the folder again after writing this share: eight processes together stay within the bound."""
INCOMING = "incoming"
ABANDONED = 3600.0
"""Seconds after which a temporary file belongs to a process that died."""


@dataclass(frozen=True)
class _File:
    used: float
    size: int
    path: Path


class MediaCache:
    """Files by key; the least recently used go first. Only complete files are ever seen, and no failures kept.

    A path that `get` or `put` returned stays until about `KEPT` of the bound was written after it: open it soon.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._unseen = max_bytes
        self._guard = threading.Lock()
        self._clearing = threading.Lock()

    def get(self, key: str) -> Path | None:
        """The file under `key`, marked as used just now; None where there is none."""
        path = self._path(key)
        try:
            os.utime(path)
        except OSError:
            return None
        return path

    def forget(self, key: str) -> None:
        """Delete the file under `key`, if there is one."""
        self._discard(self._path(key))

    def put(self, key: str, chunks: Iterable[bytes]) -> Path:
        """Write `chunks` under `key`; whatever they raise leaves nothing behind. Raises `MediaError` on a full disk."""
        path = self._path(key)
        size = 0
        temporary: Path | None = None
        try:
            temporary, descriptor = self._temporary()
            with os.fdopen(descriptor, "wb") as file:
                for chunk in chunks:
                    size += file.write(chunk)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.replace(path)
        except OSError as error:
            self._discard(temporary)
            raise MediaError(f"The media cache {self._folder} cannot be written: {error}. Make room there.") from error
        except BaseException:
            self._discard(temporary)
            raise
        self._note(size, path)
        return path

    def _path(self, key: str) -> Path:
        digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / digest[:2] / digest

    def _temporary(self) -> tuple[Path, int]:
        folder = self._folder / INCOMING
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder)
        return Path(name), descriptor

    def _discard(self, path: Path | None) -> None:
        if path is not None:
            with suppress(OSError):
                path.unlink()

    def _note(self, size: int, newest: Path) -> None:
        with self._guard:
            self._unseen += size
            due = self._unseen >= self._max_bytes * STRIDE
        if due and self._clearing.acquire(blocking=False):
            try:
                with self._guard:
                    self._unseen = 0
                self._clear(newest)
            finally:
                self._clearing.release()

    def _clear(self, newest: Path) -> None:
        files = sorted(self._files(), key=lambda file: file.used)
        total = sum(file.size for file in files)
        for file in files:
            if total <= self._max_bytes * KEPT:
                break
            if file.path != newest:
                self._discard(file.path)
                total -= file.size

    def _files(self) -> Iterator[_File]:
        oldest = time.time() - ABANDONED
        for path in self._folder.glob("*/*"):
            with suppress(OSError):  # Another process clears at the same time.
                state = path.stat()
                if path.parent.name != INCOMING:
                    yield _File(state.st_mtime, state.st_size, path)
                elif state.st_mtime < oldest:
                    path.unlink()
