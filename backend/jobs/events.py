"""What a webhook sets off. An event is a hint that something changed; the job reads the facts by API.

So an event that is lost while Redis is away is only remembered as "look again", and nothing can be corrupted by one
that comes twice or out of order. Label Studio waits one second for the answer, inside an annotator's request.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.errors import InvalidRequest, QueueUnavailable
from backend.jobs.facts import FactBoard
from backend.jobs.policy import LABEL_EVENTS, Decision, Facts, Rules, decide
from backend.jobs.queue import Queue
from backend.projects.identity import UNTRAINED, Uid
from backend.projects.record import ProjectRecord
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions

log = logging.getLogger(__name__)

ACTIONS = LABEL_EVENTS | {"TASKS_CREATED", "PROJECT_UPDATED", "START_TRAINING"}
"""The events that set anything off."""
DEBOUNCED = frozenset({"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED"})
"""Events whose wait for a quiet moment begins anew with each of them."""


@dataclass(frozen=True)
class EventOutcome:
    """`message` says in a sentence what the event set off; `job` is the training that it asked for by hand."""

    accepted: bool
    message: str
    job: str | None = None


class Events:
    """Turns events into marks in the queue; remembers what it could not mark while Redis was away.

    `soon`, where given, is told each project whose training is due now or in a moment, and enqueues it then; without
    it, what is due now is enqueued at once.
    """

    def __init__(
        self,
        queue: Queue,
        facts: FactBoard,
        records: ProjectRecords,
        versions: Versions,
        rules: Rules,
        soon: Callable[[str], None] | None = None,
    ) -> None:
        self._queue = queue
        self._soon = soon
        self._facts = facts
        self._records = records
        self._versions = versions
        self._rules = rules
        self._missed: set[str] = set()
        self._guard = threading.Lock()

    def handle(self, action: str, payload: Mapping[str, Any]) -> EventOutcome:
        """Take note of one event. Raises `InvalidRequest` for a project that is none."""
        project = payload.get("project")
        if project is None:
            # "send_payload" is off: no telling which project, so all of them are looked at.
            self._look_again(*(record.uid for record in self._records.all()))
            return EventOutcome(True, f"{action} names no project; all projects are read again.")
        found = self._note_project(project)
        if found is None:
            return EventOutcome(False, f"{action} names a project that was never set up here; nothing is done.")
        uid, config_changed = found
        try:
            return self._act(uid, action, config_changed)
        except QueueUnavailable as error:
            log.warning("%s of project %s is kept until Redis is back: %s", action, uid, error)
            self._look_again(uid)
            return EventOutcome(True, "Redis is away; the project is read again once it is back.")

    def retry_missed(self) -> None:
        """Mark what could not be marked before. Raises `QueueUnavailable` while Redis is still away."""
        with self._guard:
            missed, self._missed = self._missed, set()
        try:
            while missed:
                self._queue.mark(min(missed), time.time())
                missed.remove(min(missed))
        finally:
            self._look_again(*missed)

    def _look_again(self, *uids: str) -> None:
        with self._guard:
            self._missed.update(uids)

    def _note_project(self, project: Any) -> tuple[str, bool] | None:
        """The project's uid, and whether its labelling config differs from what was recorded; None when unknown."""
        if not isinstance(project, Mapping) or not isinstance(project.get("id"), int):
            raise InvalidRequest("project: wanted an object with an integer `id`, as Label Studio sends it.")
        uid = self._uid(project)
        if uid is None:
            return None
        record = self._records.find(uid)
        config, title = project.get("label_config"), project.get("title")
        known = record or ProjectRecord(uid, "", "")
        now = replace(
            known,
            title=title if isinstance(title, str) else known.title,
            label_config=config if isinstance(config, str) else known.label_config,
        )
        if now != record:
            self._records.put(now)
        return uid, now.label_config != known.label_config

    def _uid(self, project: Mapping[str, Any]) -> str | None:
        """From the time of creation, or else from the newest project of that id that was set up here."""
        if isinstance(project.get("created_at"), str):
            return Uid.from_project(project["id"], project["created_at"])
        known = [record.uid for record in self._records.all() if record.id == project["id"]]
        return known[-1] if known else None

    def _act(self, uid: str, action: str, config_changed: bool) -> EventOutcome:
        if action in LABEL_EVENTS:
            self._facts.count_change(uid)
        facts = self._facts.read(uid)
        since = time.time() - facts.begun
        decision = decide(Facts(action, facts.learnt, facts.changes, config_changed, since), self._rules)
        log.debug("%s of project %s: %s", action, uid, decision.reason)
        if action == "START_TRAINING":
            return EventOutcome(True, decision.reason, self._queue.train_now(uid).id)
        self._mark(uid, action, decision)
        return EventOutcome(True, decision.reason)

    def _mark(self, uid: str, action: str, decision: Decision) -> None:
        if decision.delay is not None:
            due = time.time() + decision.delay
            self._queue.mark(uid, due, postpone=decision.quiet and action in DEBOUNCED)
            if self._soon is not None and not decision.quiet:
                self._soon(uid)
            elif decision.delay == 0:
                self._queue.hasten(uid)
        version = self._versions.current_name(uid)
        if decision.refresh and version != UNTRAINED:
            self._queue.refresh(uid, version)
