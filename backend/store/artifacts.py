"""Trained models and whatever else a version is made of: folders named by the digest of their content.

An artifact is complete once its index is there, which is written last. The artifact's digest is that of its index,
and the index holds the digest of every file: nothing that differs from what was published is ever handed out.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path, PurePosixPath

from backend.errors import StoreError
from backend.store import paths
from backend.store.local import LocalFolder
from backend.store.objects import ObjectMissing, ObjectStore, to_json

INDEX = "files.json"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Artifacts:
    """Content-addressed folders. `cache` is a local folder for stores elsewhere; local stores need none."""

    def __init__(self, store: ObjectStore, cache: Path | None = None) -> None:
        self._store = store
        self._cache = cache

    def put(self, folder: Path) -> str:
        """Store a folder of plain files; its digest. Putting the same content twice changes nothing."""
        contents = {name: (folder / name).read_bytes() for name in _plain_files(folder)}
        index = to_json({name: _sha256(data) for name, data in contents.items()})
        digest = _sha256(index)
        if not self._intact(digest, index, contents):
            for name, data in contents.items():
                self._store.write(f"{_folder(digest)}/{name}", data)
            self._store.write(_index(digest), index)
        return digest

    def has(self, digest: str) -> bool:
        """Whether the artifact was stored completely."""
        return self._store.exists(_index(digest))

    def fetch(self, digest: str) -> Path:
        """A local folder with the artifact, each file checked. Raises `StoreError` when it is missing or damaged."""
        if self._store.folder is not None:
            folder = self._store.folder / _folder(digest)
            _verify(folder, digest)
            return folder
        if self._cache is None:
            raise StoreError(f"The store {self._store.url} is remote; give Artifacts a folder to keep copies in.")
        target = self._cache / digest
        try:
            _verify(target, digest)
        except StoreError:
            self._download(digest, target)
        return target

    def delete(self, digest: str) -> None:
        """Delete an artifact that no version uses; its index goes first, so that no half of it counts as whole."""
        self._store.delete(_index(digest))
        self._store.delete_folder(_folder(digest))

    def _intact(self, digest: str, index: bytes, contents: dict[str, bytes]) -> bool:
        """Whether the store has exactly this; a damaged copy is mended by writing it again."""
        try:
            return self._store.read(_index(digest)) == index and all(
                self._store.read(f"{_folder(digest)}/{name}") == data for name, data in contents.items()
            )
        except ObjectMissing:
            return False

    def _download(self, digest: str, target: Path) -> None:
        """Fill the local copy; the index comes last here too, so that a copy cut short is never taken for whole."""
        copies = LocalFolder(target.parent)
        index = self._store.read(_index(digest))
        for name in _parse(index, digest):
            copies.write(f"{digest}/{name}", self._store.read(f"{_folder(digest)}/{name}"))
        copies.write(f"{digest}/{INDEX}", index)
        _verify(target, digest)


def _plain_files(folder: Path) -> list[str]:
    entries = sorted(path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    odd = [path for path in entries if path.is_symlink() or not path.is_file() or path == folder / INDEX]
    if odd or not entries:
        got = f"{odd[0].name}, which is a link or reserved" if odd else "nothing"
        raise StoreError(f"An artifact is made of plain files; {folder} holds {got}.")
    return [path.relative_to(folder).as_posix() for path in entries]


def _verify(folder: Path, digest: str) -> None:
    try:
        index = _parse((folder / INDEX).read_bytes(), digest)
        for name, expected in index.items():
            if _sha256((folder / name).read_bytes()) != expected:
                raise StoreError(f"Artifact {digest} is damaged: {name} is not what was published. {_REMEDY}")
    except OSError as error:
        raise StoreError(f"Artifact {digest} is missing or incomplete ({error}). {_REMEDY}") from None


def _parse(index: bytes, digest: str) -> dict[str, str]:
    if _sha256(index) != digest:
        raise StoreError(f"Artifact {digest} is damaged: its index is not what was published. {_REMEDY}")
    names: dict[str, str] = json.loads(index)
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise StoreError(f"Artifact {digest} names the file {name!r} outside its folder; it is refused.")
    return names


_REMEDY = "Restore the store, select another version, or train again."


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _folder(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise StoreError(f"Got {digest!r} as an artifact's digest, wanted 64 hexadecimal digits.")
    return f"{paths.ARTIFACTS}/{digest}"


def _index(digest: str) -> str:
    return f"{_folder(digest)}/{INDEX}"
