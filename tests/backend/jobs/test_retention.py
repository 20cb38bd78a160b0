"""What is deleted, and what never is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import StoreError
from backend.evaluation.gate import Verdict
from backend.jobs.retention import DAY, Retention, Rule, outdated
from backend.jobs.verdicts import record
from backend.projects.record import ProjectRecord
from backend.store.artifacts import Artifacts
from backend.store.ledger import Ledger
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.records import Record
from backend.store.snapshots import Snapshots
from backend.store.versions import Versions

UID = "1.1795149789"
NOW = 1000 * DAY


@dataclass(frozen=True)
class Attic:
    """A store with versions of which each is a day older than the next."""

    store: ObjectStore
    scratch: Path

    def retention(self) -> Retention:
        return Retention(ProjectRecords(self.store), *self.parts())

    def parts(self) -> tuple[Versions, Artifacts, Snapshots, Ledger]:
        return Versions(self.store), Artifacts(self.store), Snapshots(self.store), Ledger(self.store)

    def artifact(self, number: int) -> str:
        folder = self.scratch / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights").write_bytes(bytes([number]))
        return Artifacts(self.store).put(folder)

    def publish(self, number: int, *, days: float, uid: str = UID, artifact: int | None = None) -> Manifest:
        versions, _, snapshots, _ = self.parts()
        part = ControlVersion("a/b.v1", self.artifact(number if artifact is None else artifact), ("x",))
        snapshot = snapshots.write(uid, None, [Record(1, {"n": number // 2}), Record(500, {"n": number})])
        snapshots.set_head(uid, snapshot)
        created, parent = NOW - days * DAY, f"v{number - 1}" if number > 1 else None
        made = Manifest(uid, f"v{number}", created, number, {"topic": part}, parent, snapshot)
        versions.publish(made)
        return made

    def chunks(self) -> int:
        return len(self.store.list(f"projects/{UID}/chunks"))


@pytest.fixture
def attic(tmp_path: Path) -> Attic:
    made = Attic(ObjectStore(tmp_path / "store"), tmp_path / "models")
    ProjectRecords(made.store).put(ProjectRecord(UID, "", ""))
    for number in range(1, 7):
        made.publish(number, days=100 - number)
    return made


def test_versions_go_with_their_models_and_snapshots(attic: Attic) -> None:
    versions, artifacts, snapshots, _ = attic.parts()
    gone, last = versions.get(UID, "v1"), versions.get(UID, "v6")
    assert attic.retention().run(UID, Rule(2, 30), NOW) == ["v1", "v2", "v3", "v4"]
    assert versions.names(UID) == ["v5", "v6"]
    assert versions.current_name(UID) == "v6"
    assert not artifacts.has(gone.controls["topic"].artifact)
    assert artifacts.has(last.controls["topic"].artifact)
    assert len(snapshots.names(UID)) == 2
    for name in ("v5", "v6"):
        snapshot = versions.get(UID, name).snapshot
        assert snapshot is not None
        assert len(list(snapshots.read(UID, snapshot))) == 2
    assert attic.chunks() == 4
    assert attic.retention().run(UID, Rule(2, 30), NOW) == []


def test_what_serves_and_what_was_before_it_stay_whatever_their_age(attic: Attic) -> None:
    versions = Versions(attic.store)
    versions.pin(UID, "v3")
    assert attic.retention().run(UID, Rule(1, 0), NOW) == ["v1", "v4", "v5"]
    assert versions.names(UID) == ["v2", "v3", "v6"]
    assert versions.pointer(UID) == ("v3", True, "v6")


def test_young_versions_stay_however_many_there_are(attic: Attic) -> None:
    assert attic.retention().run(UID, Rule(1, 97.5), NOW) == ["v1", "v2"]


def test_models_that_others_need_stay(attic: Attic) -> None:
    """Of another project, of a later version that carried it over, and of a challenger that can be promoted."""
    versions, artifacts, _, ledger = attic.parts()
    other = "2.1795149789"
    ProjectRecords(attic.store).put(ProjectRecord(other, "", ""))
    attic.publish(1, days=1, uid=other)
    attic.publish(7, days=1, artifact=2)
    first, second, part = (versions.get(UID, f"v{number}").controls["topic"] for number in (1, 2, 3))
    record(ledger, UID, "topic", part, Verdict(False, "Held back."))
    assert attic.retention().run(UID, Rule(1, 0), NOW) == ["v1", "v2", "v3", "v4", "v5"]
    assert [artifacts.has(one.artifact) for one in (first, second, part)] == [True, True, True]
    versions.publish(replace(versions.get(UID, "v7"), name="v8", controls={"topic": part}))


def test_while_a_version_cannot_be_read_no_model_is_deleted(attic: Attic) -> None:
    versions, artifacts, _, _ = attic.parts()
    part = versions.get(UID, "v1").controls["topic"]
    attic.store.write(f"projects/{UID}/versions/v5.json", b"{")
    with pytest.raises(StoreError, match="damaged"):
        attic.retention().run(UID, Rule(1, 0), NOW)
    assert artifacts.has(part.artifact)
    assert len(versions.names(UID)) == 6


@given(
    ages=st.lists(st.floats(0, 100), max_size=30),
    kept=st.sets(st.integers(0, 29)),
    rule=st.builds(Rule, st.integers(1, 10), st.floats(0, 50)),
)
def test_the_rule(ages: list[float], kept: set[int], rule: Rule) -> None:
    created = {f"v{number}": NOW - age * DAY for number, age in enumerate(sorted(ages, reverse=True))}
    doomed = outdated(created, {f"v{number}" for number in kept}, rule, NOW)
    assert not set(doomed) & {f"v{number}" for number in kept}
    assert not set(doomed) & set(list(created)[-rule.count :])
    assert all(NOW - created[name] > rule.days * DAY for name in doomed)
