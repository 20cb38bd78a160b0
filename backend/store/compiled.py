"""Compiled forms of networks: artifacts like others, found by the network's key, made again where they are missing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from backend.store import paths
from backend.store.artifacts import Artifacts
from backend.store.objects import ObjectMissing, ObjectStore, to_json

KEPT = 32
"""Forms; a project's older versions lose theirs first. One of a detector takes 12 MB."""


class CompiledForms:
    """What was exported for whom. Everything in it may be deleted at any time."""

    def __init__(self, store: ObjectStore, artifacts: Artifacts, kept: int = KEPT) -> None:
        self._store = store
        self._artifacts = artifacts
        self._kept = kept

    def find(self, key: str) -> Path | None:
        """A local folder with the form, checked; None where there is none. Raises `StoreError` for a damaged one."""
        try:
            pointer = self._store.read_json(_name(key))
        except ObjectMissing:
            return None
        return self._artifacts.fetch(str(pointer["artifact"]))

    def put(self, key: str, folder: Path) -> None:
        """Store what was exported; the oldest go when there are too many."""
        self._store.write(_name(key), to_json({"artifact": self._artifacts.put(folder), "made": time.time()}))
        self._prune()

    def drop(self, key: str) -> None:
        """Forget a form that turned out to be of no use. Its artifact goes unless another key has the same."""
        try:
            digest = self._store.read_json(_name(key))["artifact"]
        except ObjectMissing:
            return
        self._store.delete(_name(key))
        if digest not in (pointer["artifact"] for _, pointer in self._pointers()):
            self._artifacts.delete(digest)

    def _prune(self) -> None:
        newest = sorted(self._pointers(), key=lambda pair: -float(pair[1]["made"]))
        for key, _ in newest[self._kept :]:
            self.drop(key)

    def _pointers(self) -> list[tuple[str, dict[str, Any]]]:
        pointers = []
        for name in self._store.list(paths.COMPILED):
            try:
                pointers.append((name.rpartition("/")[2].removesuffix(".json"), self._store.read_json(name)))
            except ObjectMissing:
                continue  # somebody else was tidying up
        return pointers


def _name(key: str) -> str:
    return f"{paths.COMPILED}/{key}.json"
