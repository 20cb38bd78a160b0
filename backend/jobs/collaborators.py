"""What jobs and servers work with, built from settings once a process and handed to whoever needs it."""

from __future__ import annotations

from dataclasses import dataclass

import redis

from backend.errors import LabelStudioError, SettingsError
from backend.jobs.connection import open_redis
from backend.jobs.facts import FactBoard
from backend.jobs.queue import Queue
from backend.labelstudio.authorization import Authorization
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection, recall
from backend.labelstudio.media import MediaFetcher
from backend.projects.roles import RolePolicy
from backend.serving.compiling import Forms
from backend.serving.families import Families
from backend.serving.inputs import InputReader
from backend.settings import Settings
from backend.store.artifacts import Artifacts
from backend.store.compiled import CompiledForms
from backend.store.features import FeatureStore
from backend.store.ledger import Ledger
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.snapshots import Snapshots
from backend.store.versions import Versions


@dataclass(frozen=True)
class Collaborators:
    """One process's connections and stores. Nothing is connected to before it is used."""

    settings: Settings
    redis: redis.Redis
    queue: Queue
    facts: FactBoard
    store: ObjectStore
    records: ProjectRecords
    versions: Versions
    artifacts: Artifacts
    snapshots: Snapshots
    ledger: Ledger
    features: FeatureStore
    inputs: InputReader
    roles: RolePolicy
    families: Families
    forms: Forms

    def connection(self) -> Connection | None:
        """The pinned Label Studio; None before `prelabel connect`."""
        return recall(self.settings)

    def label_studio(self) -> LabelStudio:
        """A client of the pinned Label Studio. Raises `LabelStudioError` when none is pinned."""
        connection = self.connection()
        if connection is None:
            raise LabelStudioError(
                "No Label Studio is connected, so annotations cannot be read. Run `prelabel connect --project ID "
                "--label-studio-url URL --api-key KEY`, or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
            )
        return LabelStudio(connection)

    def close(self) -> None:
        """End threads and connections."""
        self.inputs.close()
        self.redis.close()


def build_collaborators(settings: Settings) -> Collaborators:
    """Build everything. Raises `SettingsError` without a Redis, `StoreError` for a store that cannot be opened."""
    if settings.redis_url is None:
        raise SettingsError(
            "PRELABEL_REDIS_URL is not set. Set it, or run `prelabel up`, which starts a Redis of its own."
        )
    connection = open_redis(settings.redis_url.get_secret_value())
    store = ObjectStore(settings.store_address)
    versions = Versions(store)
    artifacts = Artifacts(store, settings.data_dir / "cache" / "artifacts")
    return Collaborators(
        settings=settings,
        redis=connection,
        queue=Queue(connection, job_timeout=settings.job_timeout),
        facts=FactBoard(connection, versions),
        store=store,
        records=ProjectRecords(store),
        versions=versions,
        artifacts=artifacts,
        snapshots=Snapshots(store),
        ledger=Ledger(store),
        features=FeatureStore(store),
        inputs=InputReader(_media(settings), max_pixels=settings.media_max_pixels),
        roles=RolePolicy.of(settings),
        families=Families.of_settings(settings),
        forms=Forms(
            CompiledForms(store, artifacts),
            settings.data_dir / "cache" / "compiled",
            settings.torch_threads,
            settings.compiled,
        ),
    )


def _media(settings: Settings) -> MediaFetcher:
    def connection() -> Connection | None:
        return recall(settings)

    return MediaFetcher.from_settings(settings, connection, Authorization(connection))
