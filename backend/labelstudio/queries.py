"""The Data Manager's query language, as far as we need it: which tasks, in which order, with which fields."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

Condition = dict[str, Any]

ANNOTATION_FIELDS = (
    "completed_by", "was_cancelled", "ground_truth", "created_at", "updated_at", "lead_time", "parent_prediction",
    "parent_annotation", "import_id", "updated_by", "draft_created_at", "last_action", "bulk_created",
)  # fmt: skip
PREDICTION_FIELDS = ("model_version", "score", "cluster", "task")


@dataclass(frozen=True)
class TaskQuery:
    """Tasks for which every condition holds, ordered by one column (a minus sign in front reverses it).

    `fields` are names of columns, also those of annotations and predictions: Label Studio applies one list to all
    three. Columns that are left out are not computed, which makes a page up to four times as fast.
    """

    conditions: tuple[Condition, ...] = ()
    ordering: str = "id"
    fields: tuple[str, ...] = ("id", "data")
    related: bool = False
    """Whether annotations, predictions and drafts are read as well."""
    page_size: int = 1000

    def params(self, project: int, page: int = 1) -> dict[str, Any]:
        """Query parameters for `GET /api/tasks/`."""
        query = {
            "filters": {"conjunction": "and", "items": list(self.conditions)},
            "ordering": [_reversible("tasks:", self.ordering)],
        }
        params = {"project": project, "page": page, "page_size": self.page_size, "query": json.dumps(query)}
        # URIs as they were imported: resolved ones expire.
        return params | {"include": ",".join(self.fields), "resolve_uri": "false"} | self._related()

    def where(self, *conditions: Condition) -> TaskQuery:
        """The same with more conditions."""
        return replace(self, conditions=(*self.conditions, *conditions))

    def _related(self) -> dict[str, str]:
        return {"fields": "all"} if self.related else {}


def condition(column: str, operator: str, kind: str, value: Any) -> Condition:
    """One line of a Data Manager filter."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


ANNOTATED = condition("total_annotations", "greater", "Number", 0)
"""At least one annotation that is not cancelled."""
UNLABELLED = condition("is_labeled", "equal", "Boolean", False)
"""Still to be offered to somebody."""
DRAFTED = condition("draft_exists", "equal", "Boolean", True)
"""Somebody's unfinished work is on it, whoever asks."""


def with_ids(ids: Collection[int]) -> Condition:
    return condition("id", "in_list", "List", sorted(ids))


def after_id(task: int) -> Condition:
    return condition("id", "greater", "Number", task)


def updated_since(moment: str) -> Condition:
    """Tasks touched at or after `moment`, a time as the API gives it."""
    return condition("updated_at", "greater_or_equal", "Datetime", filter_time(moment))


def filter_time(moment: str) -> str:
    """`moment` as filters want it: the API leaves out a fraction of zero, and filters insist on one."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:00)", moment)
    if match is None:
        raise ValueError(f"Got {moment!r}, wanted a UTC time such as '2026-11-20T06:27:00.123456Z'.")
    return f"{match[1]}.{(match[2] or '').ljust(6, '0')}Z"


def chunks(ids: Sequence[int], size: int) -> list[list[int]]:
    """`ids` in lists of at most `size`."""
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def _reversible(prefix: str, ordering: str) -> str:
    return f"-{prefix}{ordering[1:]}" if ordering.startswith("-") else prefix + ordering
