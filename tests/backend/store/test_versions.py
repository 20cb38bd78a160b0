"""Publishing: complete or not at all, never overwritten, and one of two publishers wins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backend.errors import InvalidRequest, StoreError, Superseded, UnknownVersion
from backend.projects.identity import UNTRAINED
from backend.store.artifacts import Artifacts
from backend.store.manifest import Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Pointer, Versions
from tests.backend.store.processes import BYTES, manifest, model
from tests.backend.store.running import line, running, start
from tests.backend.store.stopping import Stopped, StoppingStore

UID = "1.1795149789"
Make = Callable[[str, int], Manifest]


@pytest.fixture
def make(store: ObjectStore, tmp_path: Path) -> Make:
    """Makes manifests whose artifact is in the store."""
    digest = Artifacts(store, tmp_path / "cache").put(model(tmp_path / "model", 1))
    return lambda name, fence: manifest(UID, name, fence, digest)


def test_a_project_begins_untrained(store: ObjectStore) -> None:
    versions = Versions(store)
    assert versions.current_name(UID) == UNTRAINED
    assert versions.current(UID) is None
    assert versions.names(UID) == []
    assert versions.fence(UID) == 0
    assert versions.next_name(UID) == "v1"


def test_what_is_published_is_current_and_stays_listed(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    published = [make(f"v{number}", fence) for number, fence in ((1, 1), (2, 1), (3, 4))]
    for version in published:
        assert versions.next_name(UID) == version.name
        versions.publish(version)
        assert versions.current(UID) == version
    assert versions.names(UID) == ["v1", "v2", "v3"]
    assert versions.get(UID, "v2") == published[1]
    assert versions.fence(UID) == 4


def test_ten_versions_are_listed_by_number(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    for number in range(1, 12):
        versions.publish(make(f"v{number}", number))
    assert versions.names(UID)[-3:] == ["v9", "v10", "v11"]
    assert versions.current_name(UID) == "v11"
    assert versions.next_name(UID) == "v12"


def test_a_lower_fence_is_refused_and_changes_nothing(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    versions.publish(make("v1", 5))
    with pytest.raises(Superseded, match="trained under fence 4, but fence 5 has published"):
        versions.publish(make("v2", 4))
    assert versions.names(UID) == ["v1"]
    assert versions.next_name(UID) == "v2"


def test_a_late_move_under_a_lower_fence_cannot_become_current(store: ObjectStore, make: Make) -> None:
    """The worker was held up after its last check, and moves the pointer when another has published."""
    versions = Versions(store)
    store.create(f"projects/{UID}/versions/v1.json", make("v1", 1).to_bytes())
    versions.publish(make("v2", 2))
    versions._move(UID, 1, "v1")
    assert versions.current_name(UID) == "v2"
    assert versions.fence(UID) == 2


def test_a_taken_name_is_refused_and_its_version_kept(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    first = make("v1", 1)
    versions.publish(first)
    with pytest.raises(Superseded, match="already has another v1"):
        versions.publish(replace(first, fence=2, created=first.created + 1))
    assert versions.current(UID) == first


def test_publishing_the_same_again_is_harmless(store: ObjectStore, make: Make) -> None:
    """A job that was killed between manifest and pointer may publish the very same manifest."""
    versions = Versions(store)
    version = make("v1", 1)
    versions.publish(version)
    versions.publish(version)
    assert versions.names(UID) == ["v1"]


def test_a_version_whose_artifact_is_missing_is_refused(store: ObjectStore) -> None:
    versions = Versions(store)
    with pytest.raises(StoreError, match="Put the model's folder first"):
        versions.publish(manifest(UID, "v1", 1, "c" * 64))
    assert versions.current(UID) is None


def test_an_earlier_version_can_be_selected_and_training_moves_on(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    for number in (1, 2, 3):
        versions.publish(make(f"v{number}", 3))
    assert versions.select(UID, "v1").name == "v1"
    assert versions.current_name(UID) == "v1"
    assert versions.names(UID) == ["v1", "v2", "v3"]
    assert versions.next_name(UID) == "v4"
    versions.publish(make("v4", 3))
    assert versions.current_name(UID) == "v4"
    versions.select(UID, "v3")
    versions.select(UID, "v2")
    assert versions.current_name(UID) == "v2"


def test_a_pinned_project_lists_what_is_published_and_stays(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    for number in (1, 2):
        versions.publish(make(f"v{number}", number))
    assert versions.pin(UID, "v1").name == "v1"
    assert versions.pointer(UID) == Pointer("v1", True, "v2")
    versions.publish(make("v3", 9))
    assert versions.pointer(UID) == Pointer("v1", True, "v3")
    assert versions.names(UID) == ["v1", "v2", "v3"]
    versions.select(UID, "v3")
    assert versions.pointer(UID) == Pointer("v3", True, "v3")
    versions.unpin(UID)
    versions.publish(make("v4", 9))
    assert versions.pointer(UID) == Pointer("v4", False, "v4")


def test_deleted_versions_change_nothing_for_the_others(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    for number in (1, 2):
        versions.publish(make(f"v{number}", number))
    versions.pin(UID, "v1")
    versions.publish(make("v3", 3))
    versions.unpin(UID)
    versions.publish(make("v4", 4))
    for name in ("v1", "v3"):
        versions.delete(UID, name)
        assert versions.pointer(UID) == Pointer("v4", False, "v4")
    assert versions.names(UID) == ["v2", "v4"]
    with pytest.raises(UnknownVersion):
        versions.get(UID, "v1")
    versions.select(UID, "v2")
    for name in ("v2", "v4"):
        with pytest.raises(StoreError, match="It stays"):
            versions.delete(UID, name)


def test_nothing_is_pinned_before_the_first_version(store: ObjectStore) -> None:
    versions = Versions(store)
    for move in (lambda: versions.pin(UID, "v1"), lambda: versions.unpin(UID)):
        with pytest.raises(UnknownVersion):
            move()
    assert versions.pointer(UID) == Pointer(UNTRAINED, False, UNTRAINED)


def test_unknown_versions_are_named_with_those_there_are(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    versions.publish(make("v1", 1))
    for use in (versions.get, versions.select):
        with pytest.raises(UnknownVersion, match=r"has no version 'v9'\. It has: v1"):
            use(UID, "v9")
    for use in (versions.get, versions.select):
        with pytest.raises((InvalidRequest, UnknownVersion)):
            use(UID, "../../x")


def test_a_manifest_that_never_became_current_is_no_version(store: ObjectStore, make: Make) -> None:
    """The publisher died between manifest and pointer: nobody sees the version, and its name is not used again."""
    versions = Versions(store)
    store.create(f"projects/{UID}/versions/v1.json", make("v1", 1).to_bytes())
    assert versions.names(UID) == []
    assert versions.current(UID) is None
    with pytest.raises(UnknownVersion):
        versions.select(UID, "v1")
    assert versions.next_name(UID) == "v2"


def test_a_duplicate_begins_with_the_others_current_version(store: ObjectStore, make: Make) -> None:
    versions = Versions(store)
    versions.publish(replace(make("v1", 1), snapshot="d" * 64))
    versions.publish(replace(make("v2", 1), snapshot="e" * 64, parent="v1"))
    copy = versions.duplicate(UID, "2.5")
    assert copy is not None
    assert versions.current("2.5") == copy
    assert (copy.name, copy.parent, copy.snapshot) == ("v1", None, None)
    assert copy.controls == make("v2", 1).controls
    assert versions.duplicate("3.5", "4.5") is None


def test_wherever_a_publish_stops_the_version_is_whole_or_not_there(local: ObjectStore, tmp_path: Path) -> None:
    digest = Artifacts(local).put(model(tmp_path / "model", 1))
    versions, seen = Versions(local), []
    for writes in range(3):
        name = versions.next_name(UID)
        try:
            Versions(StoppingStore(local.url, writes)).publish(manifest(UID, name, 1, digest))
        except Stopped:
            assert name not in versions.names(UID)
        seen.append((name, versions.current_name(UID)))
    assert seen == [("v1", "v0"), ("v1", "v0"), ("v2", "v2")]


def test_of_two_publishers_the_higher_fence_wins(local: ObjectStore, tmp_path: Path) -> None:
    digest = Artifacts(local).put(model(tmp_path / "model", 1))
    at = time.time() + 1.0
    processes = [start("publish_under", local.url, UID, digest, fence, 100, at) for fence in (1, 2)]
    low, high = ([said for said in process.communicate()[0].split() if said] for process in processes)
    versions = Versions(local)
    current = versions.current(UID)
    assert current is not None
    assert current.fence == 2
    assert low[-1] == "superseded"
    assert current.name == [name for name in high if name != "superseded"][-1]
    published = [name for name in low + high if name != "superseded"]
    assert len(published) == len(set(published)), "two publishers were both told that they published the same name"
    assert all(versions.get(UID, name).fence == 2 for name in high if name != "superseded")


def test_kill_9_at_any_moment_leaves_whole_versions_only(local: ObjectStore, tmp_path: Path) -> None:
    """Publishers are killed at moments spread over a publish, while this process reads as servers do."""
    versions, artifacts = Versions(local), Artifacts(local)
    said: list[str] = []
    for delay in range(12):
        with running("publish_for_ever", local.url, UID, tmp_path / f"scratch{delay}") as publisher:
            said.append(line(publisher))
            end = time.monotonic() + 0.002 * delay
            while time.monotonic() < end:
                _check_current(versions, artifacts)
        _check_current(versions, artifacts)
    assert set(said) <= set(versions.names(UID)), "a version that was announced is gone"
    for name in versions.names(UID):
        _check(versions.get(UID, name), artifacts)


def _check_current(versions: Versions, artifacts: Artifacts) -> None:
    current = versions.current(UID)
    if current is not None:
        _check(current, artifacts)


def _check(version: Manifest, artifacts: Artifacts) -> None:
    folder = artifacts.fetch(version.controls["topic"].artifact)
    expected = int(version.name[1:]).to_bytes(4, "big") * (BYTES // 4)
    assert (folder / "config.json").read_bytes() == expected
    assert (folder / "model.safetensors").read_bytes() == expected
