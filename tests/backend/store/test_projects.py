"""Project records in the store."""

from __future__ import annotations

import pytest

from backend.errors import InvalidRequest, UnknownProject
from backend.projects.record import ProjectRecord
from backend.store.ledger import Event, Ledger
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords


def record(uid: str, title: str = "Tickets") -> ProjectRecord:
    return ProjectRecord(uid, title, '<View title="„☃“"/>', 3.5)


def test_records_are_kept_replaced_and_listed_by_id(store: ObjectStore) -> None:
    records = ProjectRecords(store)
    assert records.all() == []
    for uid in ("10.5", "9.7", "2.1"):
        records.put(record(uid))
    records.put(record("9.7", "Renamed"))
    assert records.get("9.7") == record("9.7", "Renamed")
    assert [entry.id for entry in records.all()] == [2, 9, 10]


def test_deleting_forgets_the_whole_project(store: ObjectStore) -> None:
    records, ledger = ProjectRecords(store), Ledger(store)
    records.put(record("2.1"))
    records.put(record("3.1"))
    ledger.append("2.1", [Event("train", 1.0)])
    records.delete("2.1")
    assert [entry.uid for entry in records.all()] == ["3.1"]
    assert ledger.read("2.1") == []
    assert store.list("projects/2.1") == []


def test_an_unknown_project_is_said_so_and_a_path_is_refused(store: ObjectStore) -> None:
    records = ProjectRecords(store)
    assert records.find("2.1") is None
    with pytest.raises(UnknownProject, match="prelabel connect"):
        records.get("2.1")
    for use in (records.get, records.find, records.delete):
        with pytest.raises(InvalidRequest):
            use("../../x")


def test_a_project_whose_record_was_never_written_is_not_listed(store: ObjectStore) -> None:
    Ledger(store).append("2.1", [Event("train", 1.0)])
    assert ProjectRecords(store).all() == []
