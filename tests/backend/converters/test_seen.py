"""What classifiers read of pages and dialogues: what people see there."""

from __future__ import annotations

import time
from typing import Any

import pytest

from backend.converters import CONVERTERS
from backend.converters.visible_text import MAX_HTML, visible_text
from backend.errors import TaskUnusable
from backend.labelstudio.config import Control, parse_config

CHOICES = CONVERTERS["Choices"]


def control(tag: str, attributes: str = "") -> Control:
    (found,) = parse_config(
        f'<View><{tag} name="object" value="$input" {attributes}/>'
        '<Choices name="topic" toName="object"><Choice value="A"/></Choices></View>'
    ).controls
    return found


def seen(where: Control, value: Any) -> str:
    return CHOICES.input_of(where, {"input": value})


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("just a text", "just a text"),
        ("<p>One</p><p>two  \n <b>three</b></p>", "One\ntwo three"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<td>x</td><td>y</td>", "x\ny"),
        ("in<b>line</b>d", "inlined"),
        ("fish &amp; chips &lt;b&gt; &eacute; &#128512;", "fish & chips <b> é 😀"),
        ("<head><title>no</title></head><body>yes</body>", "yes"),
        ("a<script>if (1 < 2) { '<p>no</p>' }</script>b<style>p {}</style>c", "a\nb\nc"),
        ("a<SCRIPT>no</ScRiPt>b", "a\nb"),
        ("a<!-- <p>no</p> -->b<!DOCTYPE html>c<?xml no?>d", "abcd"),
        ("<p title=\"a > b\" data-x='<i>'>yes</p>", "yes"),
        ('<div hidden>no <div>nor</div> this</div>yes<p style="color: red; display:none">no</p>', "yes"),
        ("<div class=hidden>yes</div><template><p>no</p></template>", "yes"),
        ("1 < 2 and 3 > 2, <3", "1 < 2 and 3 > 2, <3"),
        ("cut <b>off", "cut off"),
        ("cut <b", "cut"),
        ('cut <a href="off>and the rest', "cut"),
        ("cut <!-- off", "cut"),
        ("cut <script>off", "cut"),
        ("a\0b", "a b"),
        ("<p>שלום <bdi>مرحبا</bdi></p>", "שלום مرحبا"),
        ("", ""),
        ("<p></p>", ""),
    ],
)
def test_what_people_see_of_a_page(html: str, text: str) -> None:
    assert visible_text(html) == text


@pytest.mark.parametrize(
    "piece", ["<", "<!--", "<a", "<a ", '<a b="', "<script", "</script", "<p hidden>", "&", "<div>", '=" ', "<a style="]
)
def test_a_crafted_page_takes_no_longer_than_another(piece: str) -> None:
    begun = time.monotonic()
    visible_text(piece * (MAX_HTML // len(piece)))
    assert time.monotonic() - begun < 10, "two megabytes take a second or so"


def test_no_more_of_a_page_is_read_than_is_useful() -> None:
    assert len(visible_text("x" * (MAX_HTML + 5))) == MAX_HTML


def test_a_page_without_text_is_unusable() -> None:
    assert seen(control("HyperText"), "<h1>Hello</h1>world") == "Hello\nworld"
    with pytest.raises(TaskUnusable, match="nothing in this one can be seen"):
        seen(control("HyperText"), "<img src='x'>")


def test_a_dialogue_is_a_line_a_paragraph() -> None:
    said = [{"author": "Ann", "text": "Hello?"}, {"text": " Hi! "}, {"author": 3, "text": "So"}, {"author": "Bo"}, 7]
    assert seen(control("Paragraphs"), said) == "Ann: Hello?\nHi!\nSo"
    where = control("Paragraphs", 'nameKey="who" textKey="what"')
    assert seen(where, [{"who": "Ann", "what": "Hello?", "text": "no"}]) == "Ann: Hello?"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "got null"),
        ({"text": "a"}, "got an object"),
        ("no json", "got a text that is no JSON"),
        ("[" * 200_000, "no JSON"),
        ([], "none of its 0"),
        ([{"author": "Ann", "text": " "}, {"text": 3}], 'none of its 2 has a "text"'),
    ],
)
def test_what_is_no_dialogue_is_a_sentence(value: Any, sentence: str) -> None:
    with pytest.raises(TaskUnusable, match=sentence):
        seen(control("Paragraphs"), value)


def test_an_address_stays_one_until_it_is_fetched() -> None:
    for tag in ("HyperText", "Paragraphs"):
        where = control(tag, 'valueType="url"')
        assert where.fetched
        assert seen(where, "https://example.org/<b>x</b>") == "https://example.org/<b>x</b>"
