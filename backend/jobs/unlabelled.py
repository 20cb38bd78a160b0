"""Tasks that nobody has labelled, for a teacher to label: some of them, always the same, none that judges models."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import nsmallest
from itertools import islice

from backend.projects.roles import RolePolicy, draw, role
from backend.serving.inputs import Task

LOOKED_AT = 50_000
"""Tasks, by id, among which they are drawn; reading them takes half a millisecond each."""


def for_teacher(tasks: Iterable[Task], labelled: Collection[int], policy: RolePolicy, most: int) -> list[Task]:
    """At most so many of `tasks`, by id. None is `labelled`, and none is, or will be once it is labelled, held out."""
    free = [
        {"id": int(task["id"]), "data": task["data"]}
        for task in islice(tasks, LOOKED_AT)
        if int(task["id"]) not in labelled and role(int(task["id"]), policy.after, policy).trains
    ]
    # Drawn by their ids: the next training asks about the same ones, which are read and encoded by then.
    drawn = nsmallest(most, free, key=lambda task: draw(task["id"], "distil"))
    return sorted(drawn, key=lambda task: int(task["id"]))
