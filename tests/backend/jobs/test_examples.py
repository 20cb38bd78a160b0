"""What a control is taught by."""

from __future__ import annotations

from typing import Any

import pytest

from backend.jobs.examples import answer_of, answers, fingerprint
from backend.labelstudio.config import Control, parse_config
from backend.projects.provenance import Provenance
from backend.projects.roles import Role
from backend.store.records import Annotation, Record

CONFIG = parse_config(
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text" choice="multiple">'
    '<Choice value="billing"/><Choice value="technical"/></Choices>'
    '<Choices name="mood" toName="text"><Choice value="good"/><Choice value="bad"/></Choices></View>'
)
TOPIC, MOOD = CONFIG.controls


def annotation(
    number: int,
    *labels: str,
    at: str = "2026-11-20T06:00:00Z",
    provenance: Provenance = Provenance.HUMAN,
    skipped: bool = False,
    control: Control = TOPIC,
) -> Annotation:
    value: dict[str, Any] = {"choices": list(labels)}
    region = {"id": "r", "from_name": control.name, "to_name": "text", "type": "choices", "value": value}
    return Annotation(number, (region,), updated_at=at, provenance=provenance, was_cancelled=skipped)


def record(*annotations: Annotation, task: int = 1, text: str = "t", role: Role = Role.TRAIN) -> Record:
    return Record(task, {"text": text}, annotations, role)


def test_answer_of_one_person() -> None:
    assert answer_of(TOPIC, record(annotation(1, "billing", "technical"))) == {"billing", "technical"}


def test_each_control_has_its_own_answers() -> None:
    found = record(annotation(1, "billing"))
    assert answer_of(MOOD, found) is None
    assert answers(MOOD, [found]) == []
    assert [item.target for item in answers(TOPIC, [found])] == [{"billing"}]


def test_majority_counts_then_the_latest() -> None:
    early, late = "2026-11-20T06:00:00Z", "2026-11-20T07:00:00Z"
    many = record(annotation(1, "billing"), annotation(2, "billing"), annotation(3, "technical", at=late))
    assert answer_of(TOPIC, many) == {"billing"}
    even = record(annotation(1, "technical", at=late), annotation(2, "billing", at=early))
    assert answer_of(TOPIC, even) == {"technical"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((annotation(1, "billing", skipped=True),), None),
        ((annotation(1, "billing", provenance=Provenance.ACCEPTED),), None),
        ((annotation(1, "billing", provenance=Provenance.IMPORTED),), {"billing"}),
        ((annotation(1, "billing", provenance=Provenance.IMPORTED), annotation(2, "technical")), {"technical"}),
        ((annotation(1, "billing", provenance=Provenance.ACCEPTED), annotation(2, "technical")), {"technical"}),
        ((annotation(1, "a label that left the config"),), None),
        ((), None),
    ],
    ids=["skipped", "a model's own", "imported", "human before imported", "human, not accepted", "unknown label", "no"],
)
def test_whose_answers_teach(given: tuple[Annotation, ...], expected: set[str] | None) -> None:
    assert answer_of(TOPIC, record(*given)) == expected


def test_holdout_is_answered_and_keeps_its_role() -> None:
    (found,) = answers(TOPIC, [record(annotation(1, "billing"), role=Role.HOLDOUT_BLIND)])
    assert found.role is Role.HOLDOUT_BLIND
    assert not found.role.trains


def test_fingerprint_tells_what_would_train_another_model() -> None:
    def print_of(*records: Record, seed: int = 0) -> str:
        return fingerprint(answers(TOPIC, records), "family", seed)

    base = print_of(record(annotation(1, "billing")))
    assert base == print_of(record(annotation(9, "billing", at="2026-11-21T00:00:00Z"))), "who and when teach nothing"
    others = [
        print_of(record(annotation(1, "technical"))),
        print_of(record(annotation(1, "billing"), text="another")),
        print_of(record(annotation(1, "billing"), task=2)),
        print_of(record(annotation(1, "billing"), role=Role.HOLDOUT)),
        print_of(record(annotation(1, "billing")), seed=1),
        print_of(record(annotation(1, "billing")), record(annotation(2, "billing"), task=2)),
    ]
    assert len({base, *others}) == len(others) + 1


def test_fingerprint_takes_any_text() -> None:
    assert fingerprint(answers(TOPIC, [record(annotation(1, "billing"), text="\ud800 😀")]))
