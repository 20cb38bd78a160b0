"""Which versions are kept: the newest so many, all of the last so many days, and those that people may need at once."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from backend.errors import StoreError
from backend.jobs.verdicts import challengers, waiting
from backend.projects.identity import UNTRAINED
from backend.store.artifacts import Artifacts
from backend.store.ledger import Ledger
from backend.store.manifest import Manifest
from backend.store.projects import ProjectRecords
from backend.store.snapshots import Snapshots
from backend.store.versions import Versions

log = logging.getLogger(__name__)

DAY = 86_400.0


@dataclass(frozen=True)
class Rule:
    """A version is deleted when `count` newer ones are there and it is older than so many `days`."""

    count: int
    days: float


def outdated(created: Mapping[str, float], kept: Collection[str], rule: Rule, now: float) -> list[str]:
    """Versions to delete, of all there are with when they were made, oldest first; never one of `kept`."""
    old = list(created)[: -rule.count] if rule.count else list(created)
    return [name for name in old if name not in kept and now - created[name] > rule.days * DAY]


class Retention:
    """Deletes what a store need not keep. Call it while nothing else can train the project."""

    def __init__(
        self, records: ProjectRecords, versions: Versions, artifacts: Artifacts, snapshots: Snapshots, ledger: Ledger
    ) -> None:
        self._records = records
        self._versions = versions
        self._artifacts = artifacts
        self._snapshots = snapshots
        self._ledger = ledger

    def run(self, uid: str, rule: Rule, now: float) -> list[str]:
        """Delete outdated versions with the models and snapshots that nothing else needs; their names.

        Never the current version (a pinned one is), the one it was trained after, or the newest. What cannot be read
        is left alone. Raises `StoreError`.
        """
        manifests = self._manifests(uid)
        doomed = outdated(
            {name: manifest.created for name, manifest in manifests.items()}, self._kept(uid, manifests), rule, now
        )
        if not doomed:
            return []
        needed = self._artifacts_needed(uid, doomed)
        for name in doomed:
            self._versions.delete(uid, name)
        gone = [part.artifact for name in doomed for part in manifests[name].controls.values()]
        gone += [one.part.artifact for one in challengers(self._ledger, uid)]
        for artifact in sorted(set(gone) - needed):
            self._artifacts.delete(artifact)
        left = [manifest.snapshot for name, manifest in manifests.items() if name not in doomed]
        head = self._snapshots.head(uid)
        self._snapshots.prune(uid, {snapshot for snapshot in (*left, head) if snapshot is not None})
        log.info("Project %s: %s are deleted, being old.", uid, ", ".join(doomed))
        return doomed

    def _kept(self, uid: str, manifests: Mapping[str, Manifest]) -> set[str]:
        pointer = self._versions.pointer(uid)
        last_good = manifests[pointer.current].parent if pointer.current in manifests else None
        return {pointer.current, pointer.newest, last_good or UNTRAINED}

    def _artifacts_needed(self, uid: str, doomed: Sequence[str]) -> set[str]:
        """What versions that stay are made of, in any project, and what people may still promote by hand.

        Raises `StoreError` when a version cannot be read: nobody knows then what it is made of.
        """
        stay = (
            self._versions.get(project, name)
            for project in self._projects(uid)
            for name in self._versions.names(project)
            if project != uid or name not in doomed
        )
        needed = {part.artifact for manifest in stay for part in manifest.controls.values()}
        current = self._versions.current(uid)
        held = waiting(self._ledger, uid, current.created if current else 0.0)
        return needed | {one.part.artifact for one in held.values()}

    def _projects(self, uid: str) -> Iterable[str]:
        return {uid, *(record.uid for record in self._records.all())}

    def _manifests(self, uid: str) -> dict[str, Manifest]:
        found = {}
        for name in self._versions.names(uid):
            try:
                found[name] = self._versions.get(uid, name)
            except StoreError as error:
                log.warning("%s of project %s cannot be read and is left alone: %s", name, uid, error)
        return found
