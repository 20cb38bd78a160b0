"""Objects on every sort of store, and what a reader sees while others write."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.store.objects import ObjectMissing, ObjectStore, to_json
from tests.backend.store.processes import BYTES
from tests.backend.store.running import line, running, start


def test_what_is_written_is_read_listed_and_deleted(store: ObjectStore) -> None:
    store.write("projects/1.2/a.json", b'{"x": 1}')
    store.write("projects/1.2/deep/b", b"b")
    store.write("projects/3.4/c", b"c")
    assert store.read_json("projects/1.2/a.json") == {"x": 1}
    assert store.list("projects") == ["projects/1.2/a.json", "projects/1.2/deep/b", "projects/3.4/c"]
    assert store.list("projects/1.2") == ["projects/1.2/a.json", "projects/1.2/deep/b"]
    assert store.folders("projects") == ("1.2", "3.4")
    store.delete("projects/3.4/c")
    store.delete("projects/3.4/c")
    assert not store.exists("projects/3.4/c")
    store.delete_folder("projects/1.2")
    store.delete_folder("projects/1.2")
    assert store.list("projects") == []


def test_writing_replaces_and_creating_does_not(store: ObjectStore) -> None:
    store.write("a", b"old")
    store.write("a", b"new")
    assert not store.create("a", b"newer")
    assert store.read("a") == b"new"
    assert store.create("b/c", b"first")
    assert store.exists("b/c")
    assert not store.exists("b")


def test_nothing_there_is_an_empty_list_or_a_missing_object(store: ObjectStore) -> None:
    assert store.list("nowhere") == []
    assert store.folders("nowhere") == ()
    with pytest.raises(ObjectMissing, match=r"Could not read nowhere/x .* it is not there"):
        store.read("nowhere/x")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "", "a//b", "a/./b", "a\\b", "a\0b", "a/"])
def test_names_that_lead_elsewhere_are_refused(store: ObjectStore, name: str) -> None:
    for use in (store.read, store.exists, store.delete, store.list, store.delete_folder):
        with pytest.raises(StoreError, match="wanted a relative one"):
            use(name)
    with pytest.raises(StoreError, match="wanted a relative one"):
        store.write(name, b"")


def test_damaged_json_is_named(store: ObjectStore) -> None:
    store.write("a.json", b'{"x": ')
    with pytest.raises(StoreError, match=r"a\.json .* is damaged"):
        store.read_json("a.json")


def test_several_threads_that_create_one_object_have_one_winner(local: ObjectStore) -> None:
    won: list[int] = []
    barrier = threading.Barrier(8)

    def create(number: int) -> None:
        barrier.wait()
        if local.create("name", bytes([number]) * 1000):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert local.read("name") == bytes(won) * 1000


def test_several_processes_that_create_one_object_have_one_winner(local: ObjectStore) -> None:
    at = time.time() + 1.0
    processes = [start("claim", local.url, "v1.json", letter, at) for letter in "abc"]
    said = [process.communicate()[0].strip() for process in processes]
    assert sorted(said) == ["False", "False", "True"]
    assert local.read("v1.json") == b"abc"[said.index("True") :][:1] * 50_000


def test_a_reader_never_meets_half_an_object(local: ObjectStore) -> None:
    local.write("model", b"\0" * BYTES)
    with running("overwrite_for_ever", local.url, "model") as writer:
        assert line(writer) == "ready"
        seen = set()
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            data = local.read("model")
            assert len(data) == BYTES
            assert data == data[:1] * BYTES
            seen.add(data[0])
    assert len(seen) > 3


def test_what_a_killed_writer_leaves_is_not_listed_and_is_swept_later(local: ObjectStore) -> None:
    for _ in range(20):
        with running("overwrite_for_ever", local.url, "models/m") as writer:
            line(writer)
            time.sleep(0.02)
        if len(list((Path(local.url) / "models").iterdir())) > 1:
            break
    left = [path for path in (Path(local.url) / "models").iterdir() if path.name != "m"]
    assert left, "no writer was caught in the act; the test shows nothing"
    assert local.list("models") == ["models/m"]
    assert local.sweep() == 0
    for path in left:
        os.utime(path, (0, 0))
    assert local.sweep() == len(left)
    assert local.list("models") == ["models/m"]


def test_failures_of_the_disk_are_store_errors(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = ObjectStore(tmp_path / "file")
    with pytest.raises(StoreError, match="Check PRELABEL_STORE_URL"):
        store.write("a", b"")
    assert store.list("a") == []


def test_an_unknown_protocol_is_a_store_error() -> None:
    with pytest.raises(StoreError, match=r"nonsense://x"):
        ObjectStore("nonsense://x/y")


def test_a_disk_without_hard_links_still_creates_once(local: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert local.create("a", b"1")
    assert not local.create("a", b"2")
    assert local.read("a") == b"1"


def test_a_local_store_does_not_import_fsspec(tmp_path: Path) -> None:
    code = "import sys; from backend.store.versions import *; ObjectStore(sys.argv[1]); print('fsspec' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_canonical_json_is_the_same_for_equal_values_and_holds_any_text() -> None:
    assert to_json({"b": 1, "a": "ä\ud800"}) == to_json({"a": "ä\ud800", "b": 1}) == b'{"a":"\\u00e4\\ud800","b":1}'


def test_canonical_json_refuses_what_other_programs_cannot_read() -> None:
    for value in (float("nan"), {"x": object()}):
        with pytest.raises(StoreError, match="JSON cannot hold"):
            to_json(value)
