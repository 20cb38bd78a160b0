"""What a control is taught by: the answers in a snapshot, as the zoo's examples. Pure functions of records."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.converters import CONVERTERS
from backend.labelstudio.config import Control
from backend.projects.provenance import Provenance
from backend.projects.roles import Role
from backend.store.records import Annotation, Record

TEACHES = (Provenance.HUMAN, Provenance.IMPORTED)
"""Whose annotations are learnt from, the first there are counting alone. A model's own output teaches nothing."""


@dataclass(frozen=True)
class Answer:
    """What people say of one task for one control."""

    record: Record
    labels: frozenset[str]

    @property
    def role(self) -> Role:
        return self.record.role


def answers(control: Control, records: Iterable[Record]) -> list[Answer]:
    """The answered tasks by task id, holdout included. Tasks that nobody answered usably are left out."""
    found = []
    for record in records:
        labels = answer_of(control, record)
        if labels is not None:
            found.append(Answer(record, labels))
    return found


def answer_of(control: Control, record: Record) -> frozenset[str] | None:
    """The answer given most often to one task; the latest of those given equally often."""
    for provenance in TEACHES:
        given = _decoded(control, (item for item in record.submitted if item.provenance is provenance))
        if given:
            votes = Counter(given)
            return max(reversed(given), key=lambda labels: votes[labels])
    return None


def fingerprint(answered: Sequence[Answer], *parts: object) -> str:
    """A digest of what a training learns from: equal ones would give the same model."""
    rows = [[item.record.task, item.record.data, sorted(item.labels), item.role.value] for item in answered]
    text = json.dumps([rows, [str(part) for part in parts]], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _decoded(control: Control, annotations: Iterable[Annotation]) -> list[frozenset[str]]:
    """Decoded answers, oldest first."""
    by_age = sorted(annotations, key=lambda annotation: (annotation.updated_at, annotation.id))
    decoded = (CONVERTERS[control.tag].decode(control, annotation.result) for annotation in by_age)
    return [labels for labels in decoded if labels is not None]
