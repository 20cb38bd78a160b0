"""Stores to test against: a folder, an object store that puts whole objects, and one that does not."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from backend.store.objects import ObjectStore

UID = "1.1795149789"


class FileServer(MemoryFileSystem):  # type: ignore[misc]  # fsspec carries no types
    """Stands for protocols such as SFTP, which show a file while it is being written."""

    protocol = "fileserver"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(str(path).removeprefix("fileserver://")))


fsspec.register_implementation("fileserver", FileServer, clobber=True)


@pytest.fixture(params=["folder", "memory", "fileserver"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """An empty store of each sort."""
    if request.param == "folder":
        yield ObjectStore(tmp_path / "store")
    else:
        url = f"{request.param}://{secrets.token_hex(8)}/prelabel"
        yield ObjectStore(url)


@pytest.fixture
def local(tmp_path: Path) -> ObjectStore:
    """An empty store in a folder."""
    return ObjectStore(tmp_path / "store")


@pytest.fixture
def uid() -> str:
    return UID
