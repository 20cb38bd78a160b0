"""Label Studio's API, as far as Prelabel needs it: dictionaries as Label Studio gives them, errors as sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from backend.errors import LabelStudioError
from backend.labelstudio.connection import Connection
from backend.labelstudio.queries import (
    ANNOTATED,
    ANNOTATION_FIELDS,
    DRAFTED,
    UNLABELLED,
    Condition,
    TaskQuery,
    after_id,
    chunks,
    with_ids,
)
from backend.labelstudio.transport import Transport

Json = dict[str, Any]

SPARSE_PAGE = 5000
"""Tasks a page where only ids and times are read (0.3 ms each)."""
DATA_PAGE = 1000
"""Tasks a page with their data (0.5 ms each)."""
FULL_PAGE = 200
"""Tasks a page with annotations and predictions (2 ms each); they are asked for by id, and addresses have an end."""

LABELLED_FIELDS = (
    "id", "data", "updated_at", "total_annotations", "annotations", "predictions", "result", *ANNOTATION_FIELDS,
)  # fmt: skip


@dataclass(frozen=True)
class TaskTotals:
    """How many tasks a query matches, and how many annotations (cancelled ones left out) those have."""

    tasks: int
    annotations: int


@dataclass(frozen=True)
class NewPrediction:
    """A prediction to be stored. `score` in [0, 1] orders tasks (lowest first); `result` may be empty."""

    task: int
    result: Sequence[Json] = field(repr=False)
    score: float
    cluster: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.score <= 1.0:  # a score that is no number fails the annotator's next-task call
            raise ValueError(f"Task {self.task}: got the score {self.score!r}, wanted a number in [0, 1].")

    def body(self, model_version: str) -> Json:
        """What Label Studio's single endpoints want."""
        return {**self.entry(model_version), "cluster": self.cluster}

    def entry(self, model_version: str) -> Json:
        """What Label Studio's bulk import takes."""
        return {
            "task": self.task,
            "result": list(self.result),
            "score": float(self.score),
            "model_version": model_version,
        }


class LabelStudio:
    """One Label Studio, with one user's token. Safe for use by many threads; every failure is a `LabelStudioError`."""

    def __init__(self, connection: Connection, *, timeout: float = 60.0, transport: Transport | None = None) -> None:
        self.connection = connection
        self._api = transport or Transport(connection, timeout=timeout)

    def __enter__(self) -> LabelStudio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._api.close()

    @property
    def url(self) -> str:
        return self._api.url

    @property
    def uses_personal_token(self) -> bool:
        return self._api.uses_personal_token

    def authorization_header(self) -> dict[str, str]:
        """The `Authorization` header for this Label Studio's media; for no other address."""
        return self._api.authorization()

    def version(self) -> str:
        """The release, such as `1.23.2`; needs no valid token on Label Studio's side."""
        answer = self._api.get("api/version")
        release = answer.get("release") if isinstance(answer, dict) else None
        if not isinstance(release, str):
            raise LabelStudioError(f"{self.url} does not say which version of Label Studio it is. Check the address.")
        return release

    def whoami(self) -> Json:
        """The token's user: `id`, `email` and more."""
        return _object(self._api.get("api/current-user/whoami"))

    def project(self, project: int, *fields: str) -> Json:
        """The project, or these fields of it: without its counts it takes a third of the time."""
        return _object(self._api.get(f"api/projects/{project}/", **_only(fields)))

    def update_project(self, project: int, **fields: Any) -> Json:
        """Change `fields`; the project's id and these fields as they are then."""
        # Label Studio looks for the id in its own answer, to send `PROJECT_UPDATED`.
        return _object(self._api.patch(f"api/projects/{project}/", fields, **_only(["id", *fields])))

    def task(self, task: int) -> Json:
        """One task with all annotations and predictions, and this user's drafts; URIs as they were imported."""
        return _object(self._api.get(f"api/tasks/{task}/", resolve_uri="false"))

    def totals(self, project: int, *conditions: Condition) -> TaskTotals:
        """Counts for the tasks that match (0.02 s for 5,000)."""
        query = TaskQuery(conditions, fields=("id",), page_size=1)
        answer = _object(self._api.get("api/tasks/", **query.params(project)))
        return TaskTotals(int(answer["total"]), int(answer["total_annotations"]))

    def newest(self, project: int, *conditions: Condition) -> tuple[TaskTotals, str]:
        """Counts for the tasks that match, and the newest `updated_at` among them; empty without any."""
        query = TaskQuery(conditions, ordering="-updated_at", fields=("id", "updated_at"), page_size=1)
        answer = _object(self._api.get("api/tasks/", **query.params(project)))
        newest = answer["tasks"][0]["updated_at"] if answer["tasks"] else ""
        return TaskTotals(int(answer["total"]), int(answer["total_annotations"])), str(newest)

    def tasks(self, project: int, query: TaskQuery) -> Iterator[Json]:
        """All tasks that match, by ascending id, whatever people do to them meanwhile.

        Pages are asked for by the last id seen: page numbers would skip tasks when earlier ones stop matching.
        """
        if query.ordering != "id":
            raise ValueError(f"Got the ordering {query.ordering!r}; only 'id' can be read page by page.")
        last = 0
        while True:
            params = query.where(after_id(last)).params(project)
            answer = _object(self._api.get("api/tasks/", **params))
            yield from answer["tasks"]
            if len(answer["tasks"]) >= answer["total"]:
                return
            last = int(answer["tasks"][-1]["id"])

    def tasks_by_id(self, project: int, tasks: Collection[int]) -> Iterator[Json]:
        """Those of `tasks` that exist, with annotations and predictions."""
        for some in chunks(sorted(tasks), FULL_PAGE):
            query = TaskQuery((with_ids(some),), fields=LABELLED_FIELDS, related=True, page_size=len(some))
            yield from _object(self._api.get("api/tasks/", **query.params(project)))["tasks"]

    def annotated_marks(self, project: int, *conditions: Condition) -> Iterator[Json]:
        """`id`, `updated_at` and `total_annotations` of annotated tasks that match, by id (0.3 ms each)."""
        fields = ("id", "updated_at", "total_annotations")
        return self.tasks(project, TaskQuery((ANNOTATED, *conditions), fields=fields, page_size=SPARSE_PAGE))

    def unlabelled_tasks(self, project: int) -> Iterator[Json]:
        """`id` and `data` of every task that is still to be offered to somebody, by id."""
        return self.tasks(project, TaskQuery((UNLABELLED,), fields=("id", "data"), page_size=DATA_PAGE))

    def drafted_tasks(self, project: int) -> frozenset[int]:
        """Tasks that somebody, whoever it is, has a draft of."""
        query = TaskQuery((DRAFTED,), fields=("id",), page_size=SPARSE_PAGE)
        return frozenset(int(task["id"]) for task in self.tasks(project, query))

    def predictions(self, project: int, task: int | None = None) -> list[Json]:
        """Every stored prediction of the project, or of one task, in one answer (0.06 ms each)."""
        params = {"project": project} if task is None else {"task": task}
        rows = self._api.get("api/predictions/", **params)
        if not isinstance(rows, list):
            raise LabelStudioError(f"{self.url} answered with no list of predictions. Check its version.")
        return rows

    def create_prediction(self, prediction: NewPrediction, model_version: str) -> int:
        """Store one prediction, with its cluster (17 ms); its id."""
        return int(_object(self._api.post("api/predictions/", prediction.body(model_version)))["id"])

    def update_prediction(self, row: int, prediction: NewPrediction, model_version: str) -> None:
        """Overwrite a stored prediction (19 ms). Its id stays, so a page that shows the old one can still submit."""
        self._api.patch(f"api/predictions/{row}/", prediction.body(model_version))

    def import_predictions(self, project: int, predictions: Iterable[NewPrediction], model_version: str) -> int:
        """Store many at once (0.6 ms each), without clusters; how many were taken: invalid ones are left out silently.

        One task that is gone makes Label Studio refuse all, with status 400.
        """
        body = [prediction.entry(model_version) for prediction in predictions]
        if not body:
            return 0
        return int(_object(self._api.post(f"api/projects/{project}/import/predictions", body))["created"])

    def delete_prediction(self, row: int) -> None:
        """Delete a stored prediction. A page that shows it cannot submit any more (status 400): see `publisher`."""
        self._api.delete(f"api/predictions/{row}/")

    def backends(self, project: int) -> list[Json]:
        """The machine-learning backends of a project. Label Studio asks each for `/health` and `/setup` meanwhile."""
        return list(self._api.get("api/ml", project=project))

    def create_backend(self, **fields: Any) -> Json:
        return _object(self._api.post("api/ml", fields))

    def update_backend(self, backend: int, **fields: Any) -> Json:
        """Change a backend. Label Studio wants `title`, `url` and `project` every time."""
        return _object(self._api.patch(f"api/ml/{backend}", fields))

    def webhooks(self, project: int) -> list[Json]:
        return list(self._api.get("api/webhooks/", project=project))

    def create_webhook(self, **fields: Any) -> Json:
        return _object(self._api.post("api/webhooks/", fields))

    def update_webhook(self, webhook: int, **fields: Any) -> Json:
        """Change a webhook. Leaving `actions` out empties them."""
        return _object(self._api.patch(f"api/webhooks/{webhook}/", fields))


def _only(fields: Sequence[str]) -> dict[str, str]:
    return {"include": ",".join(fields)} if fields else {}


def _object(answer: Any) -> Json:
    if not isinstance(answer, Mapping):
        raise LabelStudioError(f"Label Studio answered with {type(answer).__name__} where an object was wanted.")
    return dict(answer)
