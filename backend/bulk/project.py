"""Predictions of every task of a project that is still to be labelled, written by a worker while one looks on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from backend.errors import UnknownVersion
from backend.jobs.collaborators import build_collaborators
from backend.jobs.queue import Queue
from backend.jobs.view import JobState, JobView
from backend.projects.identity import UNTRAINED
from backend.settings import Settings

INTERVAL = 0.5
"""Seconds between two looks at the job."""


def predict_project(
    settings: Settings, project: int, look: Callable[[JobView], None] = lambda view: None, *, wait: bool = True
) -> JobView:
    """Have the current version predict the project; the job as it was last seen, its end unless not to `wait`.

    The job is the one that follows each training: what it wrote before an interruption is not written again, and
    whoever stops looking stops nothing. `look` is given every change. Raises `UnknownProject`, `UnknownVersion`
    before the first training, `QueueUnavailable`.
    """
    with closing(build_collaborators(settings)) as collaborators:
        uid = collaborators.records.newest(project).uid
        version = collaborators.versions.current_name(uid)
        if version == UNTRAINED:
            raise UnknownVersion(
                f"Project {project} has no version yet, so there is nothing to predict all its tasks with; tasks that "
                "people open are predicted live. Label a few, or press Start Training in Label Studio."
            )
        view = collaborators.queue.refresh(uid, version)
        look(view)
        return _follow(collaborators.queue, view, look) if wait else view


def _follow(queue: Queue, view: JobView, look: Callable[[JobView], None]) -> JobView:
    while view.state.alive:
        time.sleep(INTERVAL)
        now = queue.job(view.id)
        if now != view:
            look(now)
        view = now
    return view


def outcome(settings: Settings, view: JobView) -> tuple[bool, str]:
    """Whether all went well with the job as last seen, and a sentence that says what came of it."""
    if view.state.alive:
        return True, f"{view.id} is {view.state.value}; `prelabel status` shows how far it is."
    if view.state is JobState.FAILED:
        return False, f"{view.id} failed: {(view.error or 'nothing is known').rstrip('.')}. Start it again to go on."
    if view.state is not JobState.FINISHED:
        return False, f"{view.id} was stopped. Start it again to go on."
    with closing(build_collaborators(settings)) as collaborators:
        return True, collaborators.queue.said(view.id) or f"{view.id} is finished."
