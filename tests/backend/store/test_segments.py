"""The append-only log, and its readers while it is merged."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from backend.errors import StoreError
from backend.store.objects import ObjectStore
from backend.store.segments import SegmentLog


def log(store: ObjectStore) -> SegmentLog:
    return SegmentLog(store, "log", ".txt")


def test_segments_are_read_in_the_order_in_which_they_were_written(store: ObjectStore) -> None:
    for number in range(12):
        log(store).append(str(number).encode())
    store.write("log/stranger.json", b"{}")
    assert list(log(store).load(store.read, {}).values()) == [str(number).encode() for number in range(12)]


def test_known_segments_are_not_read_again(store: ObjectStore) -> None:
    log(store).append(b"1")
    known = log(store).load(store.read, {})
    new = log(store).append(b"2")
    read: list[str] = []

    def reading(name: str) -> bytes:
        read.append(name)
        return store.read(name)

    assert list(log(store).load(reading, known).values()) == [b"1", b"2"]
    assert read == [new]


def test_merged_segments_are_replaced(store: ObjectStore) -> None:
    names = [log(store).append(letter) for letter in (b"a", b"b")]
    log(store).append(b"c")
    log(store).merge(names, b"ab")
    assert sorted(log(store).load(store.read, {}).values()) == [b"ab", b"c"]


def test_a_reader_misses_nothing_while_segments_are_merged(local: ObjectStore) -> None:
    """Every reading holds all letters, whatever moment of a merge it falls on."""
    log(local).append(b"a")
    log(local).append(b"b")
    stop = threading.Event()

    def merge_for_ever() -> None:
        while not stop.is_set():
            log(local).merge(log(local).names(), b"ab")

    merger = threading.Thread(target=merge_for_ever)
    merger.start()
    readings = []
    try:
        for _ in range(200):
            with suppress(StoreError):  # changed too often: said, not guessed
                readings.append(b"".join(log(local).load(local.read, {}).values()))
    finally:
        stop.set()
        merger.join()
    assert len(readings) > 50
    assert all(set(b"ab") == set(reading) for reading in readings)


def test_segments_added_meanwhile_hold_no_reader_up(local: ObjectStore) -> None:
    segments = log(local)
    first = segments.append(b"a")

    def read(name: str) -> bytes:
        segments.append(b"b")
        return local.read(name)

    assert segments.load(read, {})[first] == b"a"


def test_a_log_that_never_stands_still_is_a_store_error(local: ObjectStore) -> None:
    segments = log(local)
    segments.append(b"")

    def read(name: str) -> bytes:
        segments.merge([name], b"")
        return local.read(name)

    with pytest.raises(StoreError, match="changed 20 times"):
        segments.load(read, {})
