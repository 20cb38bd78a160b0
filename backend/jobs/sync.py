"""Bring our picture of a project's annotations up to date: read what changed, judge what was predicted, snapshot.

Label Studio is the source of truth, so a sync may run at any time and twice; it changes nothing there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backend.converters import CONVERTERS
from backend.errors import StoreDamaged
from backend.evaluation.kinds import EVALUATIONS
from backend.evaluation.matching import matches
from backend.interactive.ids import spared
from backend.jobs.shown import FormerContents, Shown, ShownLog, shown_at
from backend.labelstudio.changes import Changes, LabelledTask, TaskMark, changes_since
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.config import Control, LabellingConfig
from backend.projects.identity import Uid, unix_time
from backend.projects.judgement import judge
from backend.projects.roles import RolePolicy, role
from backend.store.ledger import Entry, Judged, Ledger
from backend.store.objects import ObjectMissing
from backend.store.records import Annotation, Record
from backend.store.snapshots import Snapshots

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Synced:
    """`snapshot` is the new head, `records` what is in it by task; `changed` says whether it differs from the head
    before. `total` is the number of tasks in the project, labelled or not."""

    snapshot: str
    records: Mapping[int, Record]
    changed: bool
    total: int


@dataclass(frozen=True)
class _Base:
    """The head before, if there is one, and its records by task."""

    id: str | None
    records: Mapping[int, Record]


class Sync:
    """Reads one Label Studio's projects into snapshots and ledger."""

    def __init__(self, snapshots: Snapshots, ledger: Ledger, policy: RolePolicy) -> None:
        self._snapshots = snapshots
        self._ledger = ledger
        self._policy = policy

    def run(
        self,
        uid: str,
        config: LabellingConfig,
        label_studio: LabelStudio,
        shown: ShownLog,
        *,
        thorough: bool = False,
        total: int | None = None,
    ) -> Synced:
        """Read what changed since the last sync; all annotated tasks if `thorough`. `total` is the number of tasks in
        the project, where somebody has asked already.

        Raises `LabelStudioError`, `StoreError`.
        """
        project = Uid(uid).project_id
        base = self._base(uid)
        known = base.records
        cursor = self._snapshots.index(uid, base.id).cursor if base.id else None
        marks = {task: TaskMark(record.updated_at, len(record.submitted)) for task, record in known.items()}
        changes = changes_since(label_studio, project, cursor, marks, thorough=thorough)
        total = label_studio.totals(project).tasks if total is None else total
        return self._take(uid, config, changes, shown.contents, total, base)

    def take(self, uid: str, config: LabellingConfig, changes: Changes, former: FormerContents, total: int) -> Synced:
        """Judge what was predicted for the changed tasks, and take a snapshot with them. `former` are the earlier
        contents of predictions' rows, `total` is the number of tasks in the project. Raises `StoreError`."""
        return self._take(uid, config, changes, former, total, self._base(uid))

    def _take(
        self,
        uid: str,
        config: LabellingConfig,
        changes: Changes,
        former: FormerContents,
        total: int,
        base: _Base,
    ) -> Synced:
        known = base.records
        accepted = _accepted(self._ledger, uid)
        fresh = list(self._records(changes.changed, known, accepted))
        # Judgements go first: should the job die in between, they are made again, and the ledger drops doubles.
        self._ledger.append(uid, _judgements(config, changes.changed, fresh, known, former))
        snapshot = self._snapshots.write(uid, base.id, fresh, changes.deleted, changes.cursor)
        self._snapshots.set_head(uid, snapshot)
        log.info("Project %s: %d tasks changed, %d are labelled no more.", uid, len(fresh), len(changes.deleted))
        now = {**known, **{record.task: record for record in fresh}}
        records = {task: record for task, record in now.items() if task not in changes.deleted}
        changed = bool(fresh or changes.deleted) or base.id is None
        return Synced(snapshot, records, changed, total)

    def _base(self, uid: str) -> _Base:
        """The newest snapshot and what is in it; nothing where it is damaged, for Label Studio has all of it still."""
        try:
            base = self._snapshots.head(uid)
            return _Base(base, {record.task: record for record in self._snapshots.read(uid, base)} if base else {})
        except (StoreDamaged, ObjectMissing) as error:
            log.warning("Project %s: All labels are read anew, because the last snapshot is no use: %s", uid, error)
            return _Base(None, {})

    def _records(
        self, tasks: Iterable[LabelledTask], known: Mapping[int, Record], accepted: set[int]
    ) -> Iterator[Record]:
        """Records of the changed tasks; one that is labelled for the first time gets its role for ever."""
        labelled = len(known)
        for task in sorted(tasks, key=_first_labelled):
            annotations = tuple(Annotation.from_label_studio(item, accepted) for item in task.annotations)
            if task.id in known:
                part = known[task.id].role
            else:
                part = role(task.id, labelled, self._policy)
                labelled += 1
            yield Record(task.id, task.data, annotations, part, task.mark.updated_at)


def _first_labelled(task: LabelledTask) -> tuple[str, int]:
    return min((str(annotation.get("created_at") or "") for annotation in task.annotations), default=""), task.id


def _accepted(ledger: Ledger, uid: str) -> set[int]:
    return {int(item) for event in ledger.events(uid, "accept") for item in event.detail.get("annotations", ())}


def _judgements(
    config: LabellingConfig,
    tasks: Iterable[LabelledTask],
    records: Iterable[Record],
    known: Mapping[int, Record],
    contents: FormerContents,
) -> Iterator[Entry]:
    """One entry for each control that a new or newly saved human annotation answers."""
    stored: dict[int, Mapping[str, Any]] = {
        prediction["id"]: prediction for task in tasks for prediction in task.predictions
    }
    fresh = [(record, annotation) for record in records for annotation in _fresh(record, known.get(record.task))]
    parents = [item.parent_prediction for _, item in fresh if item.parent_prediction in stored]
    former = contents(parents)
    for record, annotation in fresh:
        row = stored.get(annotation.parent_prediction or 0)
        shown = shown_at(row, former.get(row["id"], ()), annotation.result, _opened(annotation)) if row else None
        for control in config.controls:
            entry = _judged(control, record, annotation, shown)
            if entry is not None:
                yield entry


def _fresh(record: Record, before: Record | None) -> list[Annotation]:
    """Human annotations that were not there before, or were saved again since."""
    saved = {annotation.id: annotation.updated_at for annotation in before.annotations} if before else {}
    return [item for item in record.submitted if item.provenance.is_human and saved.get(item.id) != item.updated_at]


def _judged(control: Control, record: Record, annotation: Annotation, shown: Shown | None) -> Judged | None:
    converter = CONVERTERS[control.tag]
    answered = converter.decode(control, annotation.result)
    if answered is None:
        return None
    own = _own(control, record, shown)
    predicted = converter.decode(control, own) if own is not None else None
    kind = converter.kind(control)
    edits = EVALUATIONS[kind].edits(predicted, answered) if kind and predicted is not None else None
    # Several regions of one interactive answer were one action.
    together = 0 if control.about else spared(control, annotation.result, record.task)
    verdict = judge(edits and max(edits - together, 1), shown=own is not None)
    found = matches(predicted, answered) if edits is not None and predicted is not None else None
    return Judged(
        task=record.task,
        annotation=annotation.id,
        control=control.name,
        outcome=verdict.outcome,
        at=unix_time(annotation.updated_at),
        version=shown.version if shown and own is not None else None,
        prediction=annotation.parent_prediction if own is not None else None,
        edits=verdict.edits,
        lead_time=annotation.lead_time,
        confidence=min((region["score"] for region in own or () if region.get("score") is not None), default=None),
        annotator=annotation.completed_by,
        role=record.role,
        provenance=annotation.provenance,
        regions=(found.shown, found.answered, found.right) if found else None,
    )


def _own(control: Control, record: Record, shown: Shown | None) -> list[dict[str, Any]] | None:
    """The regions for this control that were shown; None where none was.

    A prediction without any was mostly no help, and is no mistake either. It claims something only where finding
    nothing is an answer, and where it was not empty on purpose.
    """
    if shown is None:
        return None
    own = [region for region in shown.result if control.owns(region.get("from_name"))]
    claims = CONVERTERS[control.tag].may_be_empty and record.role.shows_prediction
    return own if own or claims else None


def _opened(annotation: Annotation) -> float:
    """When the page was opened on which the annotation was made, in Unix seconds."""
    return unix_time(annotation.updated_at) - (annotation.lead_time or 0.0)
