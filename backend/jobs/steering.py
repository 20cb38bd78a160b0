"""Versions moved by hand: promote, roll back, pin, unpin. Each is a move of the pointer that all servers follow."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

import redis

from backend.errors import InvalidRequest, QueueUnavailable, UnknownVersion
from backend.jobs.collaborators import Collaborators
from backend.jobs.machine import environment
from backend.jobs.verdicts import waiting
from backend.projects.identity import UNTRAINED
from backend.serving.swap import announce
from backend.store.ledger import Event
from backend.store.manifest import Manifest

log = logging.getLogger(__name__)

MOVED = "moved"
"""The kind of ledger event that says who made which version current by hand."""


@dataclass(frozen=True)
class Moved:
    """What came of a move: from which version to which, and a sentence. `behind` are servers that did not answer."""

    before: str
    version: str
    pinned: bool
    behind: tuple[str, ...]
    message: str


class Steering:
    """Moves the pointer of one project. Every method raises `UnknownVersion`, `StoreError`."""

    def __init__(self, collaborators: Collaborators, uid: str) -> None:
        self._with = collaborators
        self._uid = uid

    def promote(self, name: str | None = None) -> Moved:
        """Make a version current: any that there is, or without a name what the gate held back last."""
        before = self._with.versions.current_name(self._uid)
        if name is None:
            name = self._publish_challengers().name
        self._with.versions.select(self._uid, name)
        return self._moved("promote", before)

    def rollback(self, name: str | None = None) -> Moved:
        """Make an earlier version current again: without a name the one that the current was trained after."""
        before = self._with.versions.current(self._uid)
        if before is None:
            raise UnknownVersion(f"Project {self._uid} has no version yet, so there is none to go back from.")
        wanted = name or before.parent
        if wanted is None:
            known = ", ".join(self._with.versions.names(self._uid))
            raise UnknownVersion(
                f"{before.name} of project {self._uid} has no version before it; name one of: {known}."
            )
        self._with.versions.select(self._uid, wanted)
        return self._moved("rollback", before.name)

    def pin(self, name: str | None = None) -> Moved:
        """Keep a version current, whatever is trained; without a name the one that is."""
        before = self._with.versions.current_name(self._uid)
        self._with.versions.pin(self._uid, name or before)
        return self._moved("pin", before)

    def unpin(self) -> Moved:
        """Let the next training move the pointer again."""
        before = self._with.versions.unpin(self._uid).name
        return self._moved("unpin", before)

    def _publish_challengers(self) -> Manifest:
        """A version of the current one's parts, and of the challengers that were held back since, in their place."""
        current = self._with.versions.current(self._uid)
        held = waiting(self._with.ledger, self._uid, current.created) if current else {}
        if current is None or not held:
            raise UnknownVersion(
                f"The gate held no model of project {self._uid} back since {current.name if current else UNTRAINED}. "
                "Name a version to promote; `prelabel versions` lists them."
            )
        notes = tuple(f"{control}: promoted by hand. {one.verdict.reason}" for control, one in held.items())
        manifest = replace(
            current,
            name=self._with.versions.next_name(self._uid),
            created=time.time(),
            fence=self._with.versions.fence(self._uid),
            controls={**current.controls, **{control: one.part for control, one in held.items()}},
            parent=current.name,
            snapshot=self._with.snapshots.head(self._uid),
            environment=environment(),
            cost={},
            notes=notes,
        )
        self._with.versions.publish(manifest)
        return manifest

    def _moved(self, action: str, before: str) -> Moved:
        """Tell the servers, have the predictions written, and remember who did what."""
        pointer = self._with.versions.pointer(self._uid)
        detail = {"action": action, "from": before, "to": pointer.current, "pinned": pointer.pinned}
        self._with.ledger.append(self._uid, [Event(MOVED, time.time(), detail)])
        behind: set[str] = set()
        later = ""
        if pointer.current != before:
            try:
                behind = announce(self._with.redis, self._uid, pointer.current)
                self._with.queue.refresh(self._uid, pointer.current)
            except (redis.RedisError, QueueUnavailable) as error:
                log.warning("Servers follow the pointer by themselves: %s", error)
                later = " Redis is away: stored predictions are written after the next training."
        serves = f"{pointer.current} serves" + (f", after {before}" if before != pointer.current else "")
        stays = "; it is pinned until `prelabel unpin`." if pointer.pinned else "."
        return Moved(before, pointer.current, pointer.pinned, tuple(sorted(behind)), f"{serves}{stays}{later}")


def steer(steering: Steering, action: str, version: str | None = None) -> Moved:
    """The move of that name. Raises `InvalidRequest` for another name, or for a version where none is taken."""
    moves = {"promote": steering.promote, "rollback": steering.rollback, "pin": steering.pin}
    if action == "unpin" and version is None:
        return steering.unpin()
    if action not in moves:
        raise InvalidRequest(f"Got {action} of {version}, wanted unpin alone, or one of: {', '.join(moves)}.")
    return moves[action](version)
