"""What changed in a project's annotations since the last look, deletions included, without any webhook.

Measured on Label Studio 1.23.2: creating, updating, skipping and deleting an annotation, one or many, and "Create
annotations from predictions" move the task's `updated_at`. "Propagate annotations", moving annotations when
duplicates are removed, and deleting tasks do not. So the cheap look (tasks moved since) is checked against two
totals that one more request gives, and only where they disagree are all annotated tasks listed and compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from backend.labelstudio.client import Json, LabelStudio, TaskTotals
from backend.labelstudio.queries import ANNOTATED, filter_time, updated_since

OVERLAP = timedelta(seconds=60)
"""`updated_at` is set before the change is committed: what was slow to commit is found by looking back this far."""


@dataclass(frozen=True)
class TaskMark:
    """What tells whether a task was touched: when it last was, and its annotations, cancelled ones left out."""

    updated_at: str
    annotations: int

    @classmethod
    def of(cls, task: Mapping[str, Any]) -> TaskMark:
        return cls(str(task["updated_at"]), int(task["total_annotations"]))


@dataclass(frozen=True)
class Glance:
    """What tells in a moment whether anything changed: a digest of the labelling config, totals, and the newest time at
    which an annotated task was touched (empty without one). Others are touched by the predictions that we write."""

    config: str
    tasks: int
    annotations: int
    newest: str


def glance(client: LabelStudio, project: int, config: str) -> Glance:
    """Look at a project whose labelling config is `config`: two small requests."""
    totals, newest = client.newest(project, ANNOTATED)
    tasks = client.totals(project).tasks
    return Glance(hashlib.sha256(config.encode()).hexdigest(), tasks, totals.annotations, newest)


@dataclass(frozen=True)
class LabelledTask:
    """A task with at least one annotation. Annotations (cancelled ones too) and predictions as the API has them."""

    id: int
    data: Json = field(repr=False)
    annotations: tuple[Json, ...] = field(repr=False)
    predictions: tuple[Json, ...] = field(repr=False)
    mark: TaskMark

    @classmethod
    def of(cls, task: Mapping[str, Any]) -> LabelledTask:
        return cls(
            int(task["id"]), task["data"], tuple(task["annotations"]), tuple(task["predictions"]), TaskMark.of(task)
        )


@dataclass(frozen=True)
class Changes:
    """`changed` tasks are new or differ from what was known; `deleted` ones are gone or have no annotation any more."""

    changed: tuple[LabelledTask, ...]
    deleted: frozenset[int]
    cursor: str | None
    """Hand this in at the next look. None while nothing was ever annotated."""
    listed_all: bool
    """Whether all annotated tasks were compared, not only those touched since."""


def changes_since(
    client: LabelStudio,
    project: int,
    cursor: str | None,
    known: Mapping[int, TaskMark],
    *,
    thorough: bool = False,
) -> Changes:
    """Compare `known` (every task that was annotated at the last look) with Label Studio.

    Costs two small requests when nothing changed, 2 ms for each changed task, and 0.3 ms for each annotated task when
    totals disagree (something was deleted, or added in a way that leaves no trace) or `thorough` asks for it.
    """
    since = () if cursor is None else (updated_since(_earlier(cursor)),)
    touched = {int(task["id"]): TaskMark.of(task) for task in client.annotated_marks(project, *since)}
    found = _read(client, project, _differing(touched, known))
    listed_all = cursor is None
    deleted: frozenset[int] = frozenset()
    if listed_all:
        deleted = frozenset(known.keys() - touched.keys())
    elif thorough or client.totals(project, ANNOTATED) != _totals(known, found):
        listed = {int(task["id"]): TaskMark.of(task) for task in client.annotated_marks(project)}
        now = {**known, **{task: labelled.mark for task, labelled in found.items()}}
        found |= _read(client, project, _differing(listed, now))
        deleted = frozenset(known.keys() - listed.keys())
        found = {task: labelled for task, labelled in found.items() if task in listed}
        listed_all = True
    seen = [labelled.mark.updated_at for labelled in found.values()]
    newest = max(([cursor] if cursor else []) + seen, key=filter_time, default=None)
    return Changes(tuple(found[task] for task in sorted(found)), deleted, newest, listed_all)


def _differing(listed: Mapping[int, TaskMark], known: Mapping[int, TaskMark]) -> list[int]:
    return [task for task, mark in listed.items() if known.get(task) != mark]


def _read(client: LabelStudio, project: int, tasks: list[int]) -> dict[int, LabelledTask]:
    """Those of `tasks` that are still annotated."""
    rows = (LabelledTask.of(task) for task in client.tasks_by_id(project, tasks))
    return {labelled.id: labelled for labelled in rows if labelled.mark.annotations > 0}


def _totals(known: Mapping[int, TaskMark], found: Mapping[int, LabelledTask]) -> TaskTotals:
    """The totals that Label Studio would give if nothing but `found` had changed."""
    annotations = sum(mark.annotations for task, mark in known.items() if task not in found)
    annotations += sum(labelled.mark.annotations for labelled in found.values())
    return TaskTotals(len(known.keys() | found.keys()), annotations)


def _earlier(moment: str) -> str:
    exact = datetime.fromisoformat(filter_time(moment).removesuffix("Z") + "+00:00")
    return (exact - OVERLAP).isoformat(timespec="microseconds").replace("+00:00", "Z")
