"""Versions of projects: published completely, never overwritten, and one of them current.

Which one is current follows from the names in one folder: each move of the pointer adds an entry
`<fence>-<move>-<version>`, and the greatest counts. So a publisher that was held up and comes late with a lower fence
cannot become current, whatever the order in which stores see the writes; no lock or compare-and-swap is needed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from backend.errors import StoreError, Superseded, UnknownVersion
from backend.projects.identity import UNTRAINED, version_name, version_number
from backend.store import paths
from backend.store.artifacts import Artifacts
from backend.store.manifest import Manifest
from backend.store.objects import ObjectMissing, ObjectStore, to_json

_ENTRY = re.compile(r"([0-9]{16})-([0-9]{8})-(v[0-9]+)")


class _Move(NamedTuple):
    """One move of the pointer; compares as it counts."""

    fence: int
    number: int
    version: int

    @property
    def entry(self) -> str:
        return f"{self.fence:016d}-{self.number:08d}-{version_name(self.version)}"


class Versions:
    """The versions of all projects in a store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._artifacts = Artifacts(store)

    def names(self, uid: str) -> list[str]:
        """Every version that was published, oldest first."""
        return [version_name(number) for number in sorted({move.version for move in self._moves(uid)})]

    def next_name(self, uid: str) -> str:
        """A name that no version has, published or cut short."""
        manifests = self._store.list(paths.within(uid, "versions"))
        taken = (version_number(name.rpartition("/")[2].removesuffix(".json")) for name in manifests)
        return version_name(max(taken, default=0) + 1)

    def current_name(self, uid: str) -> str:
        """The name of the current version; `v0` before the first."""
        last = self._last(uid)
        return version_name(last.version) if last else UNTRAINED

    def current(self, uid: str) -> Manifest | None:
        """The current version; None before the first."""
        last = self._last(uid)
        return self.get(uid, version_name(last.version)) if last else None

    def fence(self, uid: str) -> int:
        """The highest fence that published here; a new lease must begin above it."""
        last = self._last(uid)
        return last.fence if last else 0

    def get(self, uid: str, name: str) -> Manifest:
        """Raises `UnknownVersion`."""
        try:
            return Manifest.from_json(self._store.read_json(_manifest(uid, name)))
        except ObjectMissing:
            raise self._unknown(uid, name) from None

    def publish(self, manifest: Manifest) -> None:
        """Make a version current. Everything it names must be stored by then.

        Raises `Superseded` when a higher fence has published or another version took the name meanwhile,
        `StoreError` when an artifact is missing.
        """
        self._require_artifacts(manifest)
        self._require_fence(manifest)
        data = manifest.to_bytes()
        name = _manifest(manifest.project, manifest.name)
        if not self._store.create(name, data) and self._store.read(name) != data:
            raise Superseded(
                f"Project {manifest.project} already has another {manifest.name}: another worker was first. "
                "Ask for the next name and publish again if your lease still holds."
            )
        self._move(manifest.project, manifest.fence, manifest.name)
        self._require_fence(manifest)

    def select(self, uid: str, name: str) -> Manifest:
        """Make an earlier version current again. Raises `UnknownVersion`. The next training moves on from it."""
        if name not in self.names(uid):
            raise self._unknown(uid, name)
        self._move(uid, self.fence(uid), name)
        return self.get(uid, name)

    def duplicate(self, source: str, target: str) -> Manifest | None:
        """Give `target` the current version of `source` as its own next version, artifacts shared.

        The snapshot stays behind: its tasks are the other project's.
        """
        current = self.current(source)
        if current is None:
            return None
        name = self.next_name(target)
        copy = replace(current, project=target, name=name, fence=self.fence(target), parent=None, snapshot=None)
        self.publish(copy)
        return copy

    def _unknown(self, uid: str, name: str) -> UnknownVersion:
        known = ", ".join(self.names(uid)) or "none yet"
        return UnknownVersion(f"Project {uid} has no version {name!r}. It has: {known}.")

    def _move(self, uid: str, fence: int, name: str) -> None:
        last = self._last(uid)
        number = last.number + 1 if last and last.fence == fence else 0
        move = _Move(fence, number, version_number(name))
        self._store.create(paths.within(uid, "current", move.entry), to_json({"version": name, "fence": fence}))

    def _moves(self, uid: str) -> list[_Move]:
        entries = (name.rpartition("/")[2] for name in self._store.list(paths.within(uid, "current")))
        matches = (_ENTRY.fullmatch(entry) for entry in entries)
        return [_Move(int(match[1]), int(match[2]), version_number(match[3])) for match in matches if match]

    def _last(self, uid: str) -> _Move | None:
        return max(self._moves(uid), default=None)

    def _require_fence(self, manifest: Manifest) -> None:
        reached = self.fence(manifest.project)
        if reached > manifest.fence:
            raise Superseded(
                f"{manifest.name} of project {manifest.project} was trained under fence {manifest.fence}, but fence "
                f"{reached} has published since: another worker took over. This result is dropped."
            )

    def _require_artifacts(self, manifest: Manifest) -> None:
        for control, version in manifest.controls.items():
            if not self._artifacts.has(version.artifact):
                raise StoreError(
                    f"{manifest.name} names artifact {version.artifact} for control {control!r}, which is not in the "
                    "store. Put the model's folder first, then publish."
                )


def _manifest(uid: str, name: str) -> str:
    version_number(name)
    return paths.within(uid, "versions", f"{name}.json")
