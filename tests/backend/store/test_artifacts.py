"""Content-addressed folders: shared, checked, and refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.store.artifacts import INDEX, Artifacts
from backend.store.objects import ObjectStore
from tests.backend.store.stopping import Stopped, StoppingStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder."""
    path = tmp_path / "model"
    (path / "deep").mkdir(parents=True)
    (path / "config.json").write_text('{"family": "x.v1"}')
    (path / "deep" / "model.safetensors").write_bytes(bytes(range(256)) * 100)
    return path


@pytest.fixture
def artifacts(store: ObjectStore, tmp_path: Path) -> Artifacts:
    return Artifacts(store, tmp_path / "cache")


def test_a_folder_comes_back_as_it_was(artifacts: Artifacts, folder: Path) -> None:
    digest = artifacts.put(folder)
    assert artifacts.has(digest)
    fetched = artifacts.fetch(digest)
    for name in ("config.json", "deep/model.safetensors"):
        assert (fetched / name).read_bytes() == (folder / name).read_bytes()


def test_the_same_content_has_the_same_digest_and_other_content_another(artifacts: Artifacts, folder: Path) -> None:
    first = artifacts.put(folder)
    assert artifacts.put(folder) == first
    (folder / "config.json").write_text("{}")
    assert artifacts.put(folder) != first


def test_a_file_under_another_name_is_another_artifact(artifacts: Artifacts, folder: Path) -> None:
    first = artifacts.put(folder)
    (folder / "config.json").rename(folder / "config.txt")
    assert artifacts.put(folder) != first


@pytest.mark.parametrize("name", ["config.json", INDEX])
def test_a_damaged_artifact_is_refused_until_it_is_put_again(
    artifacts: Artifacts, store: ObjectStore, folder: Path, name: str
) -> None:
    digest = artifacts.put(folder)
    store.write(f"artifacts/{digest}/{name}", b'{"config.json": "evil"}')
    with pytest.raises(StoreError, match=r"is damaged: .* not what was published"):
        artifacts.fetch(digest)
    assert artifacts.put(folder) == digest
    assert (artifacts.fetch(digest) / "config.json").read_text() == '{"family": "x.v1"}'


def test_a_missing_file_is_refused(artifacts: Artifacts, store: ObjectStore, folder: Path) -> None:
    digest = artifacts.put(folder)
    store.delete(f"artifacts/{digest}/config.json")
    with pytest.raises(StoreError, match=r"config\.json"):
        artifacts.fetch(digest)


def test_an_artifact_without_its_index_is_not_there(artifacts: Artifacts, store: ObjectStore, folder: Path) -> None:
    digest = artifacts.put(folder)
    store.delete(f"artifacts/{digest}/{INDEX}")
    assert not artifacts.has(digest)
    with pytest.raises(StoreError):
        artifacts.fetch(digest)


def test_wherever_a_put_stops_there_is_the_whole_artifact_or_none(local: ObjectStore, folder: Path) -> None:
    stopped = 0
    for writes in range(10):
        try:
            digest = Artifacts(StoppingStore(local.url, writes)).put(folder)
        except Stopped:
            stopped += 1
            indexed = [name.split("/")[1] for name in local.list("artifacts") if name.endswith(INDEX)]
            assert [Artifacts(local).fetch(found) for found in indexed] == []
        else:
            break
    assert stopped == 3
    Artifacts(local).fetch(digest)


def test_a_damaged_local_copy_is_fetched_anew(tmp_path: Path, folder: Path) -> None:
    store = ObjectStore(f"memory://{tmp_path.name}-copies")
    artifacts = Artifacts(store, tmp_path / "cache")
    digest = artifacts.put(folder)
    copy = artifacts.fetch(digest) / "config.json"
    copy.write_text("damaged")
    assert (artifacts.fetch(digest) / "config.json").read_text() == '{"family": "x.v1"}'


def test_a_local_copy_is_used_while_the_store_is_away(tmp_path: Path, folder: Path) -> None:
    store = ObjectStore(f"memory://{tmp_path.name}-away")
    artifacts = Artifacts(store, tmp_path / "cache")
    digest = artifacts.put(folder)
    artifacts.fetch(digest)
    store.delete_folder(f"artifacts/{digest}")
    assert (artifacts.fetch(digest) / "config.json").exists()


def test_a_remote_store_without_a_place_for_copies_says_so(folder: Path) -> None:
    artifacts = Artifacts(ObjectStore("memory://no-cache"))
    with pytest.raises(StoreError, match="folder to keep copies"):
        artifacts.fetch(artifacts.put(folder))


def test_deleted_is_gone(artifacts: Artifacts, store: ObjectStore, folder: Path) -> None:
    digest = artifacts.put(folder)
    artifacts.delete(digest)
    assert not artifacts.has(digest)
    assert store.list("artifacts") == []


def test_links_empty_folders_and_the_reserved_name_are_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    empty, linked, reserved = (tmp_path / name for name in ("empty", "linked", "reserved"))
    for path in (empty, linked, reserved):
        path.mkdir()
    (linked / "passwd").symlink_to("/etc/passwd")
    (reserved / INDEX).write_text("{}")
    for path in (empty, linked, reserved):
        with pytest.raises(StoreError, match="made of plain files"):
            artifacts.put(path)


@pytest.mark.parametrize("digest", ["", "../../etc", "A" * 64, "0" * 63])
def test_what_is_no_digest_is_refused(artifacts: Artifacts, digest: str) -> None:
    with pytest.raises(StoreError, match="64 hexadecimal digits"):
        artifacts.fetch(digest)
