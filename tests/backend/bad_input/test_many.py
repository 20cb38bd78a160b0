"""Many tasks in one request: all of them answered in order, and in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from backend.jobs.view import JobKind
from tests.backend.bad_input.serving import GOOD, IMAGES, TEXTS, Backend, chosen, picture, serving
from tests.backend.labelstudio.media.conftest import Web, content

MANY = 500


@pytest.mark.usefixtures("after")
def test_500_texts_are_answered_in_order(backend: Backend) -> None:
    texts = ["I was charged twice on this bill", "Which train goes to Lyon?"]
    tasks = [{"id": number, "data": {"text": f"{texts[number % 2]} {number}"}} for number in range(1, MANY + 1)]
    tasks[100] = {"id": 101, "data": {"text": None}}
    begun = time.monotonic()
    entries = backend.predict(tasks)
    assert time.monotonic() - begun < 100
    expected = [["travel"] if number % 2 else ["billing"] for number in range(1, MANY + 1)]
    expected[100] = []
    assert [chosen(entry) for entry in entries] == expected


@pytest.fixture
def hurried(tmp_path: Path, taught: Path, redis_url: str) -> Iterator[Backend]:
    """A server with a second and a half for each `/predict`, so that a test need not wait for 80 s."""
    with serving(tmp_path, taught, redis_url, predict_budget=1.5) as backend:
        backend.works()
        yield backend


def test_what_500_images_do_not_reach_in_time_goes_to_the_refresh(hurried: Backend, web: Web) -> None:
    data = picture("red")

    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.05)
        content(data)(handler)

    for number in range(1, MANY + 1):
        web.pages[f"/{number}"] = slow
    tasks = [{"id": number, "data": {"image": f"{web.url}/{number}"}} for number in range(1, MANY + 1)]
    hurried.predict([{"id": 1, "data": {"image": f"{web.url}/1"}}], IMAGES)  # the encoder is there by now
    begun = time.monotonic()
    entries = hurried.predict(tasks, IMAGES)
    took = time.monotonic() - begun
    assert took < 20, f"with a budget of 1.5 s it took {took:.1f} s"
    reached = [bool(entry["result"]) for entry in entries]
    assert reached == sorted(reached, reverse=True)
    assert 0 < sum(reached) < MANY
    assert all(entry["score"] == 1.0 for entry, there in zip(entries, reached, strict=True) if not there)
    assert hurried.failures()["deadline"] == MANY - sum(reached)
    refreshes = [job for job in hurried.services.queue.jobs(IMAGES) if job.kind is JobKind.REFRESH]
    assert [(job.uid, job.version) for job in refreshes] == [(IMAGES, "v1")]
    time.sleep(0.5)
    assert len(web.seen) < MANY, "what nobody waits for any more was fetched all the same"
    hurried.works()


def test_media_that_hang_do_not_hold_the_answer(hurried: Backend, web: Web) -> None:
    web.pages |= {f"/{number}": lambda handler: time.sleep(4) for number in range(40)}
    tasks = [{"id": number, "data": {"image": f"{web.url}/{number}"}} for number in range(40)]
    begun = time.monotonic()
    entries = hurried.predict(tasks, IMAGES)
    assert time.monotonic() - begun < 10, "eight at a time, they would have taken 20 s"
    assert [entry["result"] for entry in entries] == [[]] * 40
    hurried.works()


def test_many_requests_at_once_are_all_answered(backend: Backend) -> None:
    def ask(number: int) -> list[list[str]]:
        tasks = [{**GOOD, "id": number * 100 + extra} for extra in range(20)]
        return [chosen(entry) for entry in backend.predict(tasks, TEXTS)]

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(ask, range(24)))
    assert answers == [[["billing"]] * 20] * 24
