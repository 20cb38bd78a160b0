"""Objects as files on this machine. A reader meets the old content or the new, whenever a writer is killed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TEMPORARY = ".tmp-"
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class LocalFolder:
    """A folder of objects. Raises `FileNotFoundError` for what is not there, other `OSError`s as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        with _written(self.path / name, data) as temporary:
            temporary.replace(self.path / name)

    def create(self, name: str, data: bytes) -> bool:
        """A hard link, unlike a rename, refuses an existing name."""
        path = self.path / name
        if path.exists():
            return False
        with _written(path, data) as temporary:
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                # A disk without hard links (SMB, FAT) leaves a gap of microseconds between this look and the rename.
                if path.exists():
                    return False
                temporary.replace(path)
            return True

    def exists(self, name: str) -> bool:
        return (self.path / name).is_file()

    def list(self, prefix: str) -> Iterator[str]:
        for entry in _entries(self.path / prefix):
            name = f"{prefix}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self.list(name)
            elif not is_temporary(name):
                yield name

    def folders(self, prefix: str) -> Iterator[str]:
        entries = _entries(self.path / prefix)
        return (entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and not is_temporary(entry.name))

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def delete_folder(self, prefix: str) -> None:
        """The folder vanishes at once for readers, however long its deletion takes or where it ends."""
        doomed = (self.path / prefix).with_name(temporary_name(prefix))
        try:
            (self.path / prefix).rename(doomed)
        except FileNotFoundError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def sweep(self, older_than: float = 3600.0) -> int:
        """Delete what killed writers left behind more than `older_than` seconds ago; says how many."""
        removed = 0
        for folder, subfolders, names in os.walk(self.path):
            doomed = [Path(folder, name) for name in subfolders + names if is_temporary(name)]
            removed += sum(_remove_if_old(path, older_than) for path in doomed)
        return removed


def temporary_name(name: str) -> str:
    """A name, to be used beside `name`, that listings leave out and nobody else takes."""
    return f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(6)}-{name.rpartition('/')[2]}"[:200]


def is_temporary(name: str) -> bool:
    return name.rpartition("/")[2].startswith(_TEMPORARY)


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """`data` in a temporary file beside `path`, on the disk and not only in its cache; removed afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(temporary_name(path.name))
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_if_old(path: Path, older_than: float) -> bool:
    try:
        if time.time() - path.lstat().st_mtime < older_than:
            return False
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    except FileNotFoundError:
        return False
    return True
