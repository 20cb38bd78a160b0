"""Versions of projects: published completely, never overwritten, and one of them current.

Which one is current follows from the names in one folder: each move of the pointer adds an entry
`<fence>-<move>-<version>`, and the greatest counts. So a publisher that was held up and comes late with a lower fence
cannot become current, whatever the order in which stores see the writes; no lock or compare-and-swap is needed.

A pin is a move, too: `<fence>-<move>-<version>-pin`. From there on publishes are listed and move nothing, until an
entry that ends in `-unpin`. So no publisher can be too late to see a pin.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from backend.errors import StoreError, Superseded, UnknownVersion
from backend.projects.identity import UNTRAINED, version_name, version_number
from backend.store import paths
from backend.store.artifacts import Artifacts
from backend.store.manifest import Manifest
from backend.store.objects import ObjectMissing, ObjectStore, to_json

_ENTRY = re.compile(r"([0-9]{16})-([0-9]{8})-(v[0-9]+)(-pin|-unpin)?")


class _Act(str, Enum):
    """What a move does beside naming its version; the value ends the entry's name."""

    MOVE = ""
    PIN = "-pin"
    UNPIN = "-unpin"


class _Move(NamedTuple):
    """One move of the pointer; compares as it counts."""

    fence: int
    number: int
    version: int
    act: _Act = _Act.MOVE

    @property
    def entry(self) -> str:
        return f"{self.fence:016d}-{self.number:08d}-{version_name(self.version)}{self.act.value}"


class Pointer(NamedTuple):
    """Where a project stands. `newest` was published last; it differs from `current` where the project is pinned or
    somebody went back. Both are `v0` before the first version."""

    current: str
    pinned: bool
    newest: str


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

    def pointer(self, uid: str) -> Pointer:
        """What is current, and whether it stays so."""
        current, pinned, newest = 0, False, 0
        for move in sorted(self._moves(uid)):
            newest = max(newest, move.version)
            if move.act is not _Act.MOVE:
                current, pinned = move.version, move.act is _Act.PIN
            elif not pinned:
                current = move.version
        return Pointer(version_name(current), pinned, version_name(newest))

    def current_name(self, uid: str) -> str:
        """The name of the current version; `v0` before the first."""
        return self.pointer(uid).current

    def current(self, uid: str) -> Manifest | None:
        """The current version; None before the first."""
        name = self.current_name(uid)
        return self.get(uid, name) if name != UNTRAINED else None

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
        """Make a version current, unless the project is pinned: then it is listed alone. All it names must be stored.

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
        """Make any version current; a pinned project is pinned to it then. Raises `UnknownVersion`.

        The next training moves on from it, unless the project is pinned.
        """
        return self._act(uid, name, _Act.PIN if self.pointer(uid).pinned else _Act.MOVE)

    def pin(self, uid: str, name: str) -> Manifest:
        """Make a version current and keep it so until `unpin` or `select`. Raises `UnknownVersion`."""
        return self._act(uid, name, _Act.PIN)

    def unpin(self, uid: str) -> Manifest:
        """Let the next publish move the pointer again. Raises `UnknownVersion` before the first version."""
        return self._act(uid, self.current_name(uid), _Act.UNPIN)

    def delete(self, uid: str, name: str) -> None:
        """Forget a version, which may be neither current nor the newest. Artifacts stay: others may share them."""
        pointer = self.pointer(uid)
        if name in (pointer.current, pointer.newest):
            raise StoreError(f"Got {name} of project {uid} to delete, which is current or the newest. It stays.")
        number = version_number(name)
        for move in sorted(self._moves(uid)):  # an unpin never before its pin
            if move.version == number:
                self._store.delete(paths.within(uid, "current", move.entry))
        self._store.delete(_manifest(uid, name))

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

    def _act(self, uid: str, name: str, act: _Act) -> Manifest:
        if name not in self.names(uid):
            raise self._unknown(uid, name)
        self._move(uid, self.fence(uid), name, act)
        return self.get(uid, name)

    def _move(self, uid: str, fence: int, name: str, act: _Act = _Act.MOVE) -> None:
        last = self._last(uid)
        number = last.number + 1 if last and last.fence == fence else 0
        move = _Move(fence, number, version_number(name), act)
        self._store.create(paths.within(uid, "current", move.entry), to_json({"version": name, "fence": fence}))

    def _moves(self, uid: str) -> list[_Move]:
        entries = (name.rpartition("/")[2] for name in self._store.list(paths.within(uid, "current")))
        matches = (_ENTRY.fullmatch(entry) for entry in entries)
        return [
            _Move(int(match[1]), int(match[2]), version_number(match[3]), _Act(match[4] or ""))
            for match in matches
            if match
        ]

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
