"""The project record's round trip."""

from __future__ import annotations

import pytest

from backend.errors import InvalidRequest, StoreError
from backend.projects.record import ProjectRecord

RECORD = ProjectRecord("7.1795149789", "Tickets „α“", "<View/>", 12.5, {"epochs": 5, "box": {"lr": 0.1}})


def test_round_trip_keeps_everything_and_bears_keys_of_later_releases() -> None:
    assert ProjectRecord.from_json({**RECORD.to_json(), "colour": "red"}) == RECORD
    assert RECORD.id == 7


def test_an_incomplete_record_is_a_store_error() -> None:
    with pytest.raises(StoreError, match="incomplete"):
        ProjectRecord.from_json({"uid": RECORD.uid})


def test_a_record_never_has_a_uid_that_is_a_path() -> None:
    with pytest.raises(InvalidRequest):
        ProjectRecord("../../x", "", "")
