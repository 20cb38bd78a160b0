"""Counters add up, whichever threads count."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from backend.serving.counters import Counters


def test_counts_of_all_threads_add_up() -> None:
    counters = Counters()
    with ThreadPoolExecutor(8) as threads:
        for _ in range(400):
            threads.submit(counters.add, "events", "ANNOTATION_CREATED")
            threads.submit(counters.add, "predictions", amount=3)
    assert counters.items() == [("events", "ANNOTATION_CREATED", 400), ("predictions", "", 1200)]


def test_nothing_counted_is_nothing_shown() -> None:
    assert Counters().items() == []
