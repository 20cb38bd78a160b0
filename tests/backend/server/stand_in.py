"""An in-process stand-in for our own `Services`, so that routing and errors are tested without a queue and models."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backend.errors import UnknownJob, UnknownProject
from backend.jobs.view import JobKind, JobState, JobView
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.server.protocol import Count, ProjectStatus, Status
from backend.settings import Settings

UID = "1.1795149789"
CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="topic" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)


@dataclass(frozen=True)
class Outcome:
    accepted: bool
    message: str
    job: str | None = None


@dataclass
class StandInQueue:
    known: dict[str, JobView] = field(default_factory=dict)
    logs: dict[str, list[str]] = field(default_factory=dict)
    error: Exception | None = None

    def job(self, identifier: str, /) -> JobView:
        if identifier not in self.known:
            raise UnknownJob(f"Got job {identifier!r}, which the queue does not have.")
        return self.known[identifier]

    def jobs(self, uid: str | None = None, *, alive: bool = False) -> list[JobView]:
        if self.error is not None:
            raise self.error
        chosen = [job for job in self.known.values() if uid is None or job.uid == uid]
        return [job for job in chosen if job.state.alive or not alive]

    def log(self, identifier: str, /) -> list[str]:
        return self.logs.get(identifier, [])

    def cancel(self, identifier: str, /) -> None:
        self.known[identifier] = replace(self.job(identifier), state=JobState.CANCELED)


class StandInServices:
    """Remembers what it was asked, and raises `errors[method]` where there is one."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.queue = StandInQueue()
        self.calls: list[tuple[Any, ...]] = []
        self.errors: dict[str, Exception] = {}
        self.version = "v3"
        self.outcome = Outcome(True, "noted", "train-1_1795149789")
        self.projects: list[ProjectStatus] = []
        self.counted: list[Count] = []
        self.running = False
        self.hold: threading.Event | None = None

    def _note(self, method: str, *arguments: Any) -> None:
        self.calls.append((method, *arguments))
        if method in self.errors:
            raise self.errors[method]

    def setup(self, uid: str, schema: str, hostname: str, extra_params: Any) -> str:
        self._note("setup", uid, schema, hostname, extra_params)
        return self.version

    def predict(
        self, uid: str | None, label_config: str | None, tasks: list[Any], context: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        self._note("predict", uid, label_config, tasks, context)
        if self.hold is not None:
            self.hold.wait(10)
        return [{"result": [], "score": 0.5, "model_version": self.version} for _ in tasks]

    def event(self, action: str, payload: Mapping[str, Any]) -> Outcome:
        self._note("event", action, payload)
        return self.outcome

    def train(self, uid: str) -> JobView:
        self._note("train", uid)
        return JobView("train-1_1795149789", uid, JobKind.TRAIN, JobState.QUEUED)

    def version_names(self, uid: str) -> list[str]:
        self._note("version_names", uid)
        if uid != UID:
            raise UnknownProject(f"Project {uid} was never set up here.")
        return ["v1", "v2", "v10"]

    def model_version(self, uid: str) -> str:
        self._note("model_version", uid)
        return self.version

    def lineage(self, uid: str) -> dict[str, Any]:
        self._note("lineage", uid)
        return {"project": uid, "current": self.version, "pinned": False, "versions": [], "held_back": []}

    def move(self, uid: str, action: str, version: str | None) -> dict[str, Any]:
        self._note("move", uid, action, version)
        return {"before": self.version, "version": version or "v2", "message": "moved"}

    def delete(self, uid: str) -> None:
        self._note("delete", uid)

    def duplicate(self, src: str, dst: str) -> None:
        self._note("duplicate", src, dst)

    def validate(self, config: str) -> LabellingConfig:
        self._note("validate", config)
        return parse_config(config)

    def status(self) -> Status:
        self._note("status")
        return Status(
            status="UP",
            model_class="Prelabel",
            title=self.settings.title,
            release="0.1.0",
            label_studio="http://localhost:8080",
            queue=self.queue.error is None,
            projects=self.projects,
            errors=[],
        )

    def counts(self) -> list[Count]:
        return self.counted

    def start(self) -> None:
        self.running = True

    def close(self) -> None:
        self.running = False


def project_status(**changes: Any) -> ProjectStatus:
    """A project with everything that the page shows; `changes` replace single facts."""
    status = ProjectStatus(
        uid=UID,
        id=1,
        title="Support tickets",
        url="http://localhost:8080/projects/1",
        version="v3",
        pinned=False,
        controls=[
            {
                "name": "topic",
                "tag": "Choices",
                "family": "text_classification/minilm_linear.v1",
                "labels": 42,
                "accuracy": 0.9,
                "metrics": {"holdout_items": 60.0, "holdout_accuracy": 0.85},
                "words": ["on 60 held-out tasks: exact 85%"],
            }
        ],
        labelled=42,
        total=400,
        accuracy=0.875,
        history=[
            {"version": "v1", "accuracy": 0.5, "judged": 10},
            {"version": "v2", "accuracy": 0.8, "judged": 15},
            {"version": "v3", "accuracy": 0.9, "judged": 17},
        ],
        measures=[],
        time_saved=None,
        words=["v3, topic: 90% of 17 predictions accepted, 0.1 edits a task"],
        job={
            "id": "train-1_1795149789",
            "kind": "train",
            "state": "started",
            "stage": "fitting",
            "epoch": 3,
            "epochs": 40,
            "metrics": {"loss": 0.1234},
            "fraction": 0.4,
            "eta": 12.0,
        },
        notes=[],
        errors=[],
    )
    status.update(changes)  # type: ignore[typeddict-item]  # a test names keys that exist
    return status
