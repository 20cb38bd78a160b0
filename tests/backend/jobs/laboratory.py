"""One project of a real Label Studio, and everything that jobs work with, so that a test can run them step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from backend.jobs import refresh, train
from backend.jobs.collaborators import Collaborators
from backend.jobs.context import running_with
from backend.jobs.facts import FactBoard
from backend.jobs.shown import ShownLog
from backend.jobs.sync import Sync, Synced
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.projects.identity import Uid
from backend.projects.record import ProjectRecord
from backend.projects.roles import RolePolicy
from backend.store.artifacts import Artifacts
from backend.store.features import FeatureStore
from backend.store.ledger import Ledger
from backend.store.manifest import Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.records import Record
from backend.store.snapshots import Snapshots
from backend.store.versions import Versions
from tests.label_studio import TestProject

TOPICS = ("billing", "technical", "other")
TEXTS = {
    "billing": (
        "The invoice charges me twice for March.",
        "My card was debited although I cancelled the order.",
        "When will I get my refund of 20 euros?",
        "The discount code was not taken off my bill.",
    ),
    "technical": (
        "The app crashes whenever I open the settings.",
        "The router does not switch on any more.",
        "I get error 4711 when I try to pair the headphones.",
        "Since the update the keyboard loses its settings.",
    ),
    "other": (
        "What a friendly team, I recommend you to everybody.",
        "Do you have a shop in Vienna?",
        "Are you hiring gardeners this spring?",
        "Thank you for the lovely postcard.",
    ),
}
SAMPLES: list[tuple[str, str]] = [
    (text, topic) for texts in zip(*TEXTS.values(), strict=True) for topic, text in zip(TEXTS, texts, strict=True)
]
"""Texts with their topics, mixed."""


@dataclass
class Laboratory:
    """Jobs are run in this process, one call a run, on the test's own Redis and store."""

    parts: Collaborators
    project: TestProject
    tasks: list[int]

    @property
    def uid(self) -> str:
        return Uid.from_project(self.project.id, self.project.created["created_at"])

    @property
    def config(self) -> LabellingConfig:
        return parse_config(self.parts.records.get(self.uid).label_config)

    @property
    def version(self) -> str:
        return self.parts.versions.current_name(self.uid)

    @property
    def manifest(self) -> Manifest:
        manifest = self.parts.versions.current(self.uid)
        assert manifest is not None
        return manifest

    def record(self) -> None:
        """What `/setup` does."""
        self.parts.records.put(ProjectRecord(self.uid, "test", str(self.project.get()["label_config"])))

    def label(self, *positions: int) -> list[int]:
        """Submit the true topics of these tasks; the annotations' ids."""
        return [int(self.project.annotate(self.tasks[at], SAMPLES[at][1])["id"]) for at in positions]

    def train(self) -> str:
        with running_with(self.parts.settings):
            return train.run(self.uid)

    def refresh(self, version: str | None = None) -> str:
        with running_with(self.parts.settings):
            return refresh.run(self.uid, version or self.version)

    @contextmanager
    def studio(self) -> Iterator[LabelStudio]:
        with self.parts.label_studio() as client:
            yield client

    def sync(self, policy: RolePolicy | None = None, *, thorough: bool = False) -> Synced:
        sync = Sync(self.parts.snapshots, self.parts.ledger, policy or self.parts.roles)
        with self.studio() as client:
            return sync.run(self.uid, self.config, client, ShownLog(self.parts.redis, self.uid), thorough=thorough)

    def snapshot(self) -> dict[int, Record]:
        """The records of the newest snapshot by task."""
        head = self.parts.snapshots.head(self.uid)
        assert head is not None
        return {record.task: record for record in self.parts.snapshots.read(self.uid, head)}

    def rows(self) -> dict[int, dict[str, Any]]:
        """The stored predictions by task; two of one task are an error."""
        rows = self.project.predictions()
        by_task = {int(row["task"]): row for row in rows}
        assert len(by_task) == len(rows), f"a task has two predictions: {rows}"
        return by_task

    def on_store(self, store: ObjectStore) -> Laboratory:
        """The same project, with everything that is stored kept by `store`."""
        versions = Versions(store)
        return self.with_parts(
            store=store,
            records=ProjectRecords(store),
            versions=versions,
            artifacts=Artifacts(store, self.parts.settings.data_dir / "cache" / "artifacts"),
            snapshots=Snapshots(store),
            ledger=Ledger(store),
            features=FeatureStore(store),
            facts=FactBoard(self.parts.redis, versions),
        )

    def with_parts(self, **parts: Any) -> Laboratory:
        return replace(self, parts=replace(self.parts, **parts))
