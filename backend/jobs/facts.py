"""Small facts about each project that every process needs at once: kept in Redis, rebuilt from the store when gone."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import redis

from backend.jobs.connection import redis_errors
from backend.labelstudio.changes import Glance
from backend.store.versions import Versions


@dataclass(frozen=True)
class ProjectFacts:
    """`learnt`: labelled tasks in the current version. `changes`: events since the last training began, which was at
    the unix time `begun`. `labelled`, `total`: tasks of the project at the last sync."""

    learnt: int = 0
    changes: int = 0
    labelled: int = 0
    total: int | None = None
    begun: float = field(default=0.0, compare=False)


class FactBoard:
    """The facts of all projects. Every method raises `QueueUnavailable` while Redis is away."""

    def __init__(self, connection: redis.Redis, versions: Versions) -> None:
        self._redis = connection
        self._versions = versions

    def read(self, uid: str) -> ProjectFacts:
        """The facts; what Redis no longer knows is taken from the current version."""
        with redis_errors():
            raw: Any = self._redis.hgetall(_key(uid))
        values = {name.decode(): int(value) for name, value in raw.items()}
        if "learnt" not in values:
            manifest = self._versions.current(uid)
            learnt = int(manifest.metrics.get("labelled", 0)) if manifest else 0
            with redis_errors():
                self._redis.hset(_key(uid), "learnt", learnt)
            values["learnt"] = learnt
        return ProjectFacts(
            values["learnt"],
            values.get("changes", 0),
            values.get("labelled", values["learnt"]),
            values.get("total"),
            values.get("begun", 0) / 1000,
        )

    def count_change(self, uid: str) -> None:
        """Note one event that changed labels."""
        with redis_errors():
            self._redis.hincrby(_key(uid), "changes", 1)

    def begin(self, uid: str) -> None:
        """A training begins: it covers every change until now."""
        with redis_errors():
            self._redis.hset(_key(uid), mapping={"changes": 0, "begun": int(1000 * time.time())})

    def failed(self, uid: str) -> None:
        """The training that began has failed: the next need not keep a distance from it."""
        with redis_errors():
            self._redis.hset(_key(uid), "begun", 0)

    def synced(self, uid: str, labelled: int, total: int) -> None:
        with redis_errors():
            self._redis.hset(_key(uid), mapping={"labelled": labelled, "total": total})

    def published(self, uid: str, learnt: int) -> None:
        with redis_errors():
            self._redis.hset(_key(uid), "learnt", learnt)

    def is_time(self, what: str, uid: str, every: int) -> bool:
        """True for one caller of all processes in every so many seconds."""
        with redis_errors():
            return bool(self._redis.set(f"prelabel:{what}:{uid}", 1, nx=True, ex=every))

    def not_done(self, what: str, uid: str) -> None:
        """It failed, so it is time again."""
        with redis_errors():
            self._redis.delete(f"prelabel:{what}:{uid}")

    def saw(self, uid: str, glance: Glance) -> None:
        """A training that began at this glance has ended well: until another is seen, there is nothing to do."""
        with redis_errors():
            self._redis.set(_glance_key(uid), json.dumps(asdict(glance)))

    def seen(self, uid: str) -> Glance | None:
        """The glance of the last training; None where it is not known."""
        with redis_errors():
            raw: Any = self._redis.get(_glance_key(uid))
        return Glance(**json.loads(raw)) if raw is not None else None

    def forget(self, uid: str) -> None:
        with redis_errors():
            self._redis.delete(_key(uid), _glance_key(uid))


def _key(uid: str) -> str:
    return f"prelabel:facts:{uid}"


def _glance_key(uid: str) -> str:
    return f"prelabel:glance:{uid}"
