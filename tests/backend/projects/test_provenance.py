"""Provenance, over annotations as Label Studio 1.23.2 stores each kind."""

from __future__ import annotations

from typing import Any

import pytest

from backend.projects.provenance import Provenance, provenance

COPIED = {"id": "a", "from_name": "c", "to_name": "t", "type": "choices", "score": 0.9, "value": {"choices": ["x"]}}
DRAWN = {
    "id": "b",
    "from_name": "c",
    "to_name": "t",
    "type": "choices",
    "origin": "manual",
    "value": {"choices": ["x"]},
}
KEPT = {**COPIED, "origin": "prediction"}


def annotation(**changes: Any) -> dict[str, Any]:
    """An annotation as the API gives it when a person submitted it on the labelling page."""
    return {
        "id": 1,
        "completed_by": 1,
        "updated_by": 1,
        "import_id": None,
        "parent_prediction": None,
        "lead_time": 4.2,
        "ground_truth": False,
        "result": [DRAWN],
        **changes,
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(annotation(), Provenance.HUMAN, id="submitted"),
        pytest.param(
            annotation(parent_prediction=5, result=[KEPT]), Provenance.HUMAN, id="prediction submitted as it was"
        ),
        pytest.param(annotation(lead_time=None), Provenance.HUMAN, id="posted by a script for a person"),
        pytest.param(annotation(result=[], lead_time=None), Provenance.HUMAN, id="empty"),
        pytest.param(
            annotation(updated_by=None, lead_time=None, parent_prediction=5, result=[COPIED]),
            Provenance.ACCEPTED,
            id="created from predictions",
        ),
        pytest.param(
            annotation(updated_by=None, lead_time=None, result=[COPIED]),
            Provenance.ACCEPTED,
            id="created from a prediction that was deleted since",
        ),
        pytest.param(
            annotation(updated_by=None, lead_time=None, parent_prediction=5, result=[]),
            Provenance.ACCEPTED,
            id="created from an empty prediction",
        ),
        pytest.param(
            annotation(parent_prediction=5, result=[COPIED], lead_time=3.0), Provenance.HUMAN, id="created, then saved"
        ),
        pytest.param(annotation(updated_by=None, import_id=77), Provenance.IMPORTED, id="imported with its id"),
        pytest.param(
            annotation(updated_by=None, lead_time=None, ground_truth=True),
            Provenance.IMPORTED,
            id="imported without id",
        ),
        pytest.param(
            annotation(updated_by=None, lead_time=None, ground_truth=True, result=[COPIED]),
            Provenance.IMPORTED,
            id="another tool's predictions imported as annotations",
        ),
        pytest.param(annotation(import_id=77, lead_time=2.0), Provenance.HUMAN, id="imported, then saved by a person"),
        pytest.param(annotation(updated_by=None, completed_by=None), Provenance.HUMAN, id="its account was deleted"),
        pytest.param({"id": 1, "result": [DRAWN], "lead_time": 1.0}, Provenance.HUMAN, id="of an old release, timed"),
    ],
)
def test_provenance(value: dict[str, Any], expected: Provenance) -> None:
    assert provenance(value) is expected


def test_what_a_run_of_ours_created_is_accepted_until_a_person_saves_it() -> None:
    created = annotation(id=9, lead_time=None, result=[COPIED])
    assert provenance(created, accepted={9}) is Provenance.ACCEPTED
    assert provenance({**created, "lead_time": 3.0}, accepted={9}) is Provenance.HUMAN
    assert provenance(created, accepted={8}) is Provenance.HUMAN
