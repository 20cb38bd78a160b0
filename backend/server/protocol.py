"""What the HTTP server needs from the rest: the one object that every handler calls.

The server depends on these protocols alone, so that it knows no store, no queue and no model. All methods
block; handlers call them in threads. They raise `backend.errors` and nothing else on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypedDict

from backend.jobs.view import JobView
from backend.labelstudio.config import LabellingConfig
from backend.settings import Settings


class EventOutcome(Protocol):
    """What became of one webhook event."""

    @property
    def accepted(self) -> bool: ...

    @property
    def message(self) -> str: ...

    @property
    def job(self) -> str | None: ...


class JobQueue(Protocol):
    """The part of the queue that routes read."""

    def job(self, identifier: str, /) -> JobView:
        """Raises `UnknownJob`, `QueueUnavailable`."""

    def jobs(self, uid: str | None = None, *, alive: bool = False) -> list[JobView]:
        """Every job that the queue knows, or one project's; with `alive` those alone that run or will run.

        Raises `QueueUnavailable`.
        """

    def log(self, identifier: str, /) -> list[str]:
        """The last lines of a job's log. Raises `UnknownJob`, `QueueUnavailable`."""

    def cancel(self, identifier: str, /) -> None:
        """Stop a job, running or not. Raises `UnknownJob`, `QueueUnavailable`."""


class ControlStatus(TypedDict):
    """One control of a project. `labels` counts annotations that answer it; `family` is its model's name. `metrics` are
    the figures of its model on the holdout and out of fold, as the version has them; `words` say the foremost."""

    name: str
    tag: str
    family: str | None
    labels: int
    accuracy: float | None
    metrics: dict[str, float]
    words: list[str]


class AccuracyPoint(TypedDict):
    """Running accuracy of one version: the share of `judged` predictions that people accepted as they were."""

    version: str
    accuracy: float
    judged: int


class JobStatus(TypedDict):
    """A queued or running job. `fraction` in [0, 1], `eta` in seconds; None where unknown. `epoch` of `epochs` runs,
    from 1; `metrics` are figures so far, such as the loss."""

    id: str
    kind: str
    state: str
    stage: str | None
    epoch: int | None
    epochs: int | None
    metrics: dict[str, float]
    fraction: float | None
    eta: float | None


class ErrorStatus(TypedDict):
    """A recent failure. `at` in unix seconds; `message` is a sentence, never a traceback."""

    at: float
    message: str


class ProjectStatus(TypedDict):
    """One project on the status page. `url` opens it in Label Studio; `notes`: of skipped controls, say.

    `measures` are those of the current version's predictions, by control, and `time_saved` what the control arm shows,
    with the fields of `backend.evaluation.measures`; `words` say both to people.
    """

    uid: str
    id: int
    title: str
    url: str | None
    version: str
    pinned: bool
    controls: list[ControlStatus]
    labelled: int
    total: int | None
    accuracy: float | None
    history: list[AccuracyPoint]
    measures: list[dict[str, Any]]
    time_saved: dict[str, Any] | None
    words: list[str]
    job: JobStatus | None
    notes: list[str]
    errors: list[ErrorStatus]


class Status(TypedDict):
    """Everything that `GET /` answers, and that the status page shows. `queue` is False while Redis is away."""

    status: str
    model_class: str
    title: str
    release: str
    label_studio: str | None
    queue: bool
    projects: list[ProjectStatus]
    errors: list[ErrorStatus]


class Count(TypedDict):
    """One counter of this process since it started, such as `prediction_failures` by `reason`."""

    name: str
    labels: dict[str, str]
    value: float


class ServicesProtocol(Protocol):
    """What handlers use; `backend.services.Services` is the real one."""

    @property
    def settings(self) -> Settings: ...

    @property
    def queue(self) -> JobQueue: ...

    def setup(self, uid: str, schema: str, hostname: str, extra_params: Any) -> str:
        """Record the project and return the name of the version it is served with. Loads no model."""

    def predict(
        self, uid: str | None, label_config: str | None, tasks: list[Any], context: dict[str, Any] | None
    ) -> list[dict[str, Any]]:
        """One prediction a task, in order; an empty `result` for a task that could not be predicted."""

    def event(self, action: str, payload: dict[str, Any]) -> EventOutcome:
        """Take note of a webhook. Must return within milliseconds: an annotator waits."""

    def train(self, uid: str) -> JobView:
        """Train now. Raises `UnknownProject`, `NothingToLearn`, `QueueUnavailable`."""

    def version_names(self, uid: str) -> list[str]: ...

    def model_version(self, uid: str) -> str: ...

    def lineage(self, uid: str) -> dict[str, Any]:
        """The project's versions with all that is recorded of them. Raises `UnknownProject`."""

    def move(self, uid: str, action: str, version: str | None) -> dict[str, Any]:
        """Promote, roll back, pin or unpin by hand. Raises `UnknownProject`, `UnknownVersion`."""

    def delete(self, uid: str) -> None: ...

    def duplicate(self, src: str, dst: str) -> None: ...

    def validate(self, config: str) -> LabellingConfig:
        """Parse a labelling config. Raises `InvalidConfig`."""

    def status(self) -> Status: ...

    def counts(self) -> list[Count]:
        """What this process counted: some of `COUNTERS`. `/metrics` adds them to the latencies that it measures."""

    def start(self) -> None: ...

    def close(self) -> None: ...


COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "predictions": ("Predictions that were answered with a result.", ()),
    "prediction_failures": ("Tasks that got an empty result, by reason: a word or two, never a sentence.", ("reason",)),
    "interactive_answers": ("Clicks, boxes, selections and texts that were answered with regions.", ()),
    "model_loads": ("Models loaded into memory.", ()),
    "events": ("Webhook events, by action.", ("action",)),
}
"""The counters that `ServicesProtocol.counts` may name, with help text and names of labels."""
