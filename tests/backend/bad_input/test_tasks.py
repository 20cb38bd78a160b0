"""Tasks that cannot be predicted cost themselves alone; texts are texts, whatever they look like."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backend.bad_input.serving import GOOD, TEXT_CONFIG, TEXTS, Backend, chosen
from tests.backend.labelstudio.media.conftest import Web, content

pytestmark = pytest.mark.usefixtures("after")

BILLING = {"id": 1, "data": {"text": "Why was I charged for this invoice?"}}
TRAVEL = {"id": 3, "data": {"text": "When does the next train to Lyon leave?"}}


@pytest.mark.parametrize(
    "task",
    [
        {"id": 2, "data": {}},
        {"id": 2, "data": {"body": "another key"}},
        {"id": 2, "data": {"text": None}},
        {"id": 2, "data": {"text": 17}},
        {"id": 2, "data": {"text": True}},
        {"id": 2, "data": {"text": ["a", "b"]}},
        {"id": 2, "data": {"text": {"de": "a"}}},
        {"id": 2, "data": {"text": ""}},
        {"id": 2, "data": {"text": " \n\t"}},
        {"id": 2, "data": None},
        {"id": 2, "data": "text"},
        {"id": 2},
        {},
        None,
        5,
        "task",
        [],
    ],
)
def test_a_task_without_a_usable_text(backend: Backend, task: Any) -> None:
    before = backend.failures().get("task", 0.0)
    entries = backend.predict([BILLING, task, TRAVEL])
    assert [chosen(entry) for entry in entries] == [["billing"], [], ["travel"]]
    assert entries[1]["score"] == 1.0
    assert backend.failures()["task"] == before + 1


@pytest.mark.parametrize("number", [None, "2", 2.5, -1, 10**30, True, [1]])
def test_a_task_with_an_odd_id_is_predicted(backend: Backend, number: Any) -> None:
    entries = backend.predict([{**BILLING, "id": number}, TRAVEL, {"data": TRAVEL["data"]}])
    assert [chosen(entry) for entry in entries] == [["billing"], ["travel"], ["travel"]]


@pytest.mark.parametrize(
    "text",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "WEB/invoice",
        "data:text/plain;base64,aW52b2ljZQ==",
        "s3://bucket/invoice.txt",
        "/data/upload/1/invoice.txt",
        "C:\\invoices\\1.txt",
        "../../invoice",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_a_text_that_looks_like_a_path_or_url_is_a_text(backend: Backend, web: Web, text: str) -> None:
    web.pages["/invoice"] = content(b"When does the train leave?")
    entries = backend.predict([BILLING, {"id": 2, "data": {"text": text.replace("WEB", web.url)}}, TRAVEL])
    assert [chosen(entries[0]), chosen(entries[2])] == [["billing"], ["travel"]]
    assert len(chosen(entries[1])) == 1  # some answer to the words themselves
    assert web.seen == []


@pytest.mark.parametrize(
    "text",
    ["\ud800", "invoice\0", "🧾" * 1000, "invoice " * 200_000, "x" * 2_000_000, "\u202einvoice", "<b>&amp;</b>", "Σ́ͅ"],
    ids=["a lone surrogate", "nul", "emoji", "a megabyte", "one long word", "right to left", "markup", "accents"],
)
def test_a_text_of_any_characters_and_length(backend: Backend, text: str) -> None:
    entries = backend.predict([BILLING, {"id": 2, "data": {"text": text}}, TRAVEL])
    assert [chosen(entries[0]), chosen(entries[2])] == [["billing"], ["travel"]]
    assert len(chosen(entries[1])) == 1


def test_no_task_gives_no_entry(backend: Backend) -> None:
    body = {"project": TEXTS, "label_config": TEXT_CONFIG, "tasks": []}
    assert backend.post("/predict", body).json() == {"results": [], "model_version": "v1"}


def test_only_bad_tasks_still_give_one_entry_each(backend: Backend) -> None:
    entries = backend.predict([None, {"id": 1}, {"id": 2, "data": {"text": 0}}])
    assert [entry["result"] for entry in entries] == [[], [], []]


def test_the_same_task_twice_gives_two_entries(backend: Backend) -> None:
    entries = backend.predict([GOOD, GOOD])
    assert entries[0] == entries[1]
