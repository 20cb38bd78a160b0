from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.errors import MediaError
from backend.labelstudio.media import MediaCache


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_was_put_is_got_by_every_process(tmp_path: Path) -> None:
    path = MediaCache(tmp_path, 1000).put("key", [b"some ", b"bytes"])
    assert path.read_bytes() == b"some bytes"
    assert MediaCache(tmp_path, 1000).get("key") == path
    assert MediaCache(tmp_path, 1000).get("other") is None


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 1000)
    for age, key in enumerate(["new", "middle", "old"]):
        os.utime(cache.put(key, [b"x" * 240]), (time.time() - 100 * age,) * 2)
    assert cache.get("old") is not None
    cache.put("newest", [b"x" * 240])
    assert [key for key in ("new", "middle", "old", "newest") if cache.get(key)] == ["new", "old", "newest"]


def test_the_bound_holds_for_several_processes(tmp_path: Path) -> None:
    caches = [MediaCache(tmp_path, 64_000) for _ in range(8)]
    for number in range(1000):
        caches[number % 8].put(str(number), [bytes(500)])
        if number % 25 == 0:
            assert size(tmp_path) <= 64_000
    assert size(tmp_path) > 32_000


def test_a_file_larger_than_the_bound_is_still_handed_out(tmp_path: Path) -> None:
    assert MediaCache(tmp_path, 100).put("large", [bytes(500)]).stat().st_size == 500


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield b"half"
        raise MediaError("gone")

    cache = MediaCache(tmp_path, 1000)
    with pytest.raises(MediaError, match="gone"):
        cache.put("key", failing())
    assert cache.get("key") is None
    assert size(tmp_path) == 0
    assert cache.put("key", [b"whole"]).read_bytes() == b"whole"


def test_what_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "incoming" / "left"
    fresh = tmp_path / "incoming" / "fresh"
    left.parent.mkdir()
    left.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(left, (time.time() - 7200,) * 2)
    MediaCache(tmp_path, 1000).put("key", [b"whole"])
    assert not left.exists()
    assert fresh.exists()


def test_threads_that_write_the_same_key_never_see_half_a_file(tmp_path: Path) -> None:
    cache = MediaCache(tmp_path, 10_000_000)

    def write_and_read(number: int) -> bytes:
        chunks = [bytes([65 + number % 26]) * 1000] * 100
        cache.put("key", chunks)
        path = cache.get("key")
        assert path is not None
        return path.read_bytes()

    with ThreadPoolExecutor(16) as pool:
        for found in pool.map(write_and_read, range(64)):
            assert len(found) == 100_000
            assert len(set(found)) == 1


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MediaError, match="cannot be written"):
        MediaCache(tmp_path / "file" / "cache", 1000).put("key", [b"x"])
