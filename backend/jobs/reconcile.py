"""Looks for changes that nothing announced: counts and the newest change first, and a job where they differ.

The job compares everything that it must; a look costs Label Studio three small requests a project.
"""

from __future__ import annotations

import logging
import time

from backend.errors import LabelStudioError
from backend.jobs.collaborators import Collaborators
from backend.jobs.policy import Facts, Rules, decide
from backend.labelstudio.changes import Glance, glance
from backend.labelstudio.client import LabelStudio
from backend.projects.record import ProjectRecord

log = logging.getLogger(__name__)

THOROUGH_EVERY = 3600
"""Seconds after which a project is read although a glance sees no difference: some changes leave no trace in it."""


class Reconciler:
    """Compares Label Studio with what the last training of each project saw, and marks those that differ."""

    def __init__(self, collaborators: Collaborators, rules: Rules) -> None:
        self._with = collaborators
        self._rules = rules

    def look_at_all(self) -> list[str]:
        """The uids of the projects that were marked. Raises `StoreError`, `QueueUnavailable`."""
        marked = []
        for record in self._with.records.all():
            delay = self._look(record)
            if delay is not None:
                self._with.queue.mark(record.uid, time.time() + delay)
                marked.append(record.uid)
        return marked

    def _look(self, record: ProjectRecord) -> float | None:
        """Seconds until a training is due; None for none. Where it cannot be told the job says why, to everybody.

        What a person has cancelled is left alone until something changes, or for an hour.
        """
        cancelled = self._with.queue.was_cancelled(record.uid)
        if not cancelled and self._with.facts.is_time("look", record.uid, THOROUGH_EVERY):
            return 0.0
        try:
            with self._with.label_studio() as label_studio:
                now = self._seen(label_studio, record)
        except LabelStudioError as error:
            log.debug("Project %s cannot be looked at: %s", record.uid, error)
            return None if cancelled else 0.0
        if cancelled and self._with.queue.is_left(record.uid, repr(now)):
            return None
        before = self._with.facts.seen(record.uid)
        if now == before:
            return None
        if before is None or (now.config, now.tasks) != (before.config, before.tasks):
            return 0.0
        learnt, changes = self._with.facts.read(record.uid).learnt, abs(now.annotations - before.annotations)
        return decide(Facts("ANNOTATIONS_CREATED", learnt, max(1, changes)), self._rules).delay

    def _seen(self, label_studio: LabelStudio, record: ProjectRecord) -> Glance:
        return glance(label_studio, record.id, str(label_studio.project(record.id, "label_config")["label_config"]))
