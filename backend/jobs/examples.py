"""What a control is taught by: the answers in a snapshot. Pure functions of records."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from backend.converters import CONVERTERS
from backend.converters.maps import as_labelled
from backend.labelstudio.config import Control
from backend.labelstudio.controls import SEMANTIC
from backend.projects.provenance import Provenance
from backend.projects.roles import Role
from backend.store.manifest import ControlVersion
from backend.store.records import Annotation, Record
from model_zoo.types import Captions, Target

TEACHES = (Provenance.HUMAN, Provenance.IMPORTED)
"""Whose annotations are learnt from, the first there are counting alone. A model's own output teaches nothing."""


@dataclass(frozen=True)
class Answer:
    """What people say of one task for one control, with coordinates as the control's converter decodes them."""

    record: Record
    target: Target

    @property
    def role(self) -> Role:
        return self.record.role


def answers(control: Control, records: Iterable[Record]) -> list[Answer]:
    """The answered tasks by task id, holdout included. Tasks that nobody answered usably are left out."""
    found = []
    for record in records:
        target = answer_of(control, record)
        if target is not None:
            found.append(Answer(record, target))
    return found


def answer_of(control: Control, record: Record) -> Target | None:
    """The answer given most often to one task; the latest of those given equally often, as drawn boxes mostly are."""
    for provenance in TEACHES:
        given = _decoded(control, (item for item in record.submitted if item.provenance is provenance))
        if given:
            votes = Counter(given)
            return max(reversed(given), key=lambda target: votes[target])
    return None


def asked(
    control: Control, before: ControlVersion | None, answered: Sequence[Answer]
) -> tuple[Control, Sequence[Answer], str]:
    """`control` asking for what the first answers, by age, say where its config leaves that open (see
    `converters.maps`), with its answers read so; and a sentence for people where that is news."""
    oldest = sorted(answered, key=lambda answer: min(one.created_at for one in answer.record.submitted))
    settled, said = as_labelled(control, before, [answer.target for answer in oldest])
    if settled.task == control.task or settled.task != SEMANTIC:
        return settled, answered, said
    return settled, answers(settled, [answer.record for answer in answered]), said


def fingerprint(answered: Sequence[Answer], *parts: object) -> str:
    """A digest of what a training learns from: equal ones would give the same model."""
    rows = [[item.record.task, item.record.data, _plain(item.target), item.role.value] for item in answered]
    text = json.dumps([rows, [str(part) for part in parts]], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(target: Target) -> list[Any]:
    """The same for the same target, as JSON."""
    if isinstance(target, Captions):
        return list(target.texts)
    return sorted(target) if isinstance(target, frozenset) else [astuple(piece) for piece in target]


def _decoded(control: Control, annotations: Iterable[Annotation]) -> list[Target]:
    """Decoded answers, oldest first."""
    by_age = sorted(annotations, key=lambda annotation: (annotation.updated_at, annotation.id))
    decoded = (CONVERTERS[control.tag].decode(control, annotation.result) for annotation in by_age)
    return [target for target in decoded if target is not None]
