"""Named bytes in a folder on disk or an object store: seen as a whole or not at all, whenever a writer dies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from backend.errors import StoreDamaged, StoreError
from backend.store.local import LocalFolder


class ObjectMissing(StoreError):
    """There is no object of that name."""


class _Folder(Protocol):
    """What `LocalFolder` and `RemoteFolder` have in common."""

    def read(self, name: str) -> bytes: ...
    def write(self, name: str, data: bytes) -> None: ...
    def create(self, name: str, data: bytes) -> bool: ...
    def exists(self, name: str) -> bool: ...
    def list(self, prefix: str) -> Iterable[str]: ...
    def folders(self, prefix: str) -> Iterable[str]: ...
    def delete(self, name: str) -> None: ...
    def delete_folder(self, prefix: str) -> None: ...


class ObjectStore:
    """Objects under one path or fsspec URL. Names are relative, with slashes. Every failure is a `StoreError`."""

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        with self._explained("open", ""):
            self._objects, self.folder = _opened(self.url)

    folder: Path | None
    """Where the objects lie when the store is on this machine, else None."""

    def read(self, name: str) -> bytes:
        """The object's bytes. Raises `ObjectMissing`."""
        with self._explained("read", name):
            return self._objects.read(_checked(name))

    def read_json(self, name: str) -> Any:
        """The object's JSON. Raises `ObjectMissing`, or `StoreDamaged`."""
        data = self.read(name)
        try:
            return json.loads(data)
        except ValueError as error:
            raise StoreDamaged(f"{name} in {self.url} is damaged: {error}. Restore or delete it.") from None

    def write(self, name: str, data: bytes) -> None:
        """Create the object, or replace it as a whole."""
        with self._explained("write", name):
            self._objects.write(_checked(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Create the object unless there is one; of several writers at once exactly one gets True."""
        with self._explained("create", name):
            return self._objects.create(_checked(name), data)

    def exists(self, name: str) -> bool:
        with self._explained("look for", name):
            return self._objects.exists(_checked(name))

    def list(self, prefix: str) -> list[str]:
        """Names of all objects below the folder `prefix`, sorted; empty when there is no such folder."""
        with self._explained("list", prefix):
            return sorted(self._objects.list(_checked(prefix)))

    def folders(self, prefix: str) -> tuple[str, ...]:
        """Last parts of the names of the folders directly below `prefix`, sorted."""
        with self._explained("list", prefix):
            return tuple(sorted(self._objects.folders(_checked(prefix))))

    def delete(self, name: str) -> None:
        """Delete the object; one that is gone already is no error."""
        with self._explained("delete", name):
            self._objects.delete(_checked(name))

    def delete_folder(self, prefix: str) -> None:
        """Delete all objects below the folder `prefix`."""
        with self._explained("delete", prefix):
            self._objects.delete_folder(_checked(prefix))

    def sweep(self) -> int:
        """Delete what killed writers left behind an hour ago or earlier; says how many. Object stores have none."""
        with self._explained("sweep", ""):
            return self._objects.sweep() if isinstance(self._objects, LocalFolder) else 0

    @contextmanager
    def _explained(self, verb: str, name: str) -> Iterator[None]:
        what = f"{name} in {self.url}" if name else self.url
        try:
            yield
        except StoreError:
            raise
        except FileNotFoundError:
            raise ObjectMissing(f"Could not {verb} {what}: it is not there. Was it deleted by hand?") from None
        except Exception as error:  # every fsspec protocol raises its own library's errors
            raise StoreError(
                f"Could not {verb} {what} ({type(error).__name__}: {error}). "
                "Check PRELABEL_STORE_URL, permissions and free space."
            ) from error


def to_json(value: Any, *, finite: bool = True) -> bytes:
    """Canonical JSON in ASCII, which holds every text, lone surrogates included: equal values give equal bytes.

    Raises `StoreError` for what JSON cannot hold; NaN and infinity are refused only where `finite` is asked for.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=not finite).encode()
    except (TypeError, ValueError) as error:
        raise StoreError(f"JSON cannot hold this value: {error}. Store finite numbers, text, lists, objects.") from None


def _opened(url: str) -> tuple[_Folder, Path | None]:
    protocol, separator, rest = url.partition("://")
    if not separator or protocol in ("file", "local"):
        path = Path(rest if separator else url).expanduser().absolute()
        return LocalFolder(path), path
    # fsspec takes 50 ms to import, which the usual store on this machine does not need.
    from backend.store.remote import RemoteFolder

    return RemoteFolder(url, protocol), None


def _checked(name: str) -> str:
    if not name or "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise StoreError(f"Got {name!r} as the name of an object, wanted a relative one without '..'.")
    return name
