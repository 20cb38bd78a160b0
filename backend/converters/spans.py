"""Spans of texts between Label Studio and the zoo: what the controls that label characters have in common.

Where a span begins and ends depends on the object (measured on 1.23.2, and read in its editor's source):

- `Text`: `start` and `end` count code points, each `\\n` and each `\\r` as one, so they are Python's own indices;
- `HyperText`: `globalOffsets` count the code points of all text nodes below the body, and one for each `<br>`;
- `Paragraphs`: `start` and `end` are numbers of paragraphs, `startOffset` and `endOffset` UTF-16 units in them.

In what converters decode, the first two are indices of the text; of the third, a `DialogueSpan`, the number of the
paragraph times `PARAGRAPH` and its offset are added up, so that annotations need no text to be compared. `in_text`
makes of that indices of the joined paragraphs, which families learn from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_zoo.texts import PASSAGE
from model_zoo.types import Span

PARAGRAPH = 1 << 40
"""More characters than a paragraph can have."""

Place = tuple[int, int]
"""Start, and end behind the last."""


@dataclass(frozen=True)
class DialogueSpan(Span):
    """A span of `Paragraphs` as decoded: where it begins and ends in them, not yet in the joined text."""


def read_text(value: Mapping[str, Any]) -> Place | None:
    """Where a region of `Text` is; None where it is nowhere."""
    return _ordered(value.get("start"), value.get("end"))


def read_hypertext(value: Mapping[str, Any]) -> Place | None:
    """Where a region of `HyperText` is, by its `globalOffsets`, which every release since 1.0 writes beside the XPath;
    the XPath alone says nothing without the page."""
    offsets = value.get("globalOffsets")
    return read_text(offsets) if isinstance(offsets, Mapping) else None


def read_paragraphs(value: Mapping[str, Any]) -> Place | None:
    """Where a region of `Paragraphs` is, as this module counts."""
    first, last = _number(value.get("start")), _number(value.get("end"))
    start, end = _number(value.get("startOffset")), _number(value.get("endOffset"))
    if first is None or last is None or start is None or end is None or max(start, end) >= PARAGRAPH:
        return None
    return _ordered(first * PARAGRAPH + start, last * PARAGRAPH + end)


def write_paragraphs(text: str, place: Place) -> dict[str, Any]:
    """The place, in characters of the joined paragraphs, as Label Studio says it."""
    (first, start), (last, end) = (_of_paragraph(text, at) for at in place)
    return {"start": str(first), "startOffset": start, "end": str(last), "endOffset": end}


def join_paragraphs(paragraphs: Iterable[str]) -> str:
    """One text of them all; `PASSAGE` stands between two, and in none."""
    return PASSAGE.join(paragraph.replace(PASSAGE, " ") for paragraph in paragraphs)


def in_text(span: Span, text: str) -> Span:
    """A decoded span in characters of the text; what lies behind the text is cut off."""
    if isinstance(span, DialogueSpan):
        return Span(character_of(text, span.start), character_of(text, span.end), span.label)
    return Span(min(span.start, len(text)), min(span.end, len(text)), span.label)


def character_of(text: str, at: int) -> int:
    """The index in joined paragraphs of a decoded place; the end of the paragraph, or of all, where it lies behind."""
    number, offset = divmod(at, PARAGRAPH)
    begin = 0
    for _ in range(number):
        found = text.find(PASSAGE, begin)
        if found < 0:
            return len(text)
        begin = found + 1
    stop = text.find(PASSAGE, begin)
    return begin + _points(text[begin : stop if stop >= 0 else len(text)], offset)


def _of_paragraph(text: str, at: int) -> Place:
    """The paragraph's number, and UTF-16 units in it."""
    begin = text.rfind(PASSAGE, 0, at) + 1
    return text.count(PASSAGE, 0, at), _units(text[begin:at])


def _units(text: str) -> int:
    return len(text) + sum(ord(letter) > 0xFFFF for letter in text)


def _points(text: str, units: int) -> int:
    """How many characters so many UTF-16 units are; one that is cut in half counts."""
    passed = 0
    for count, letter in enumerate(text):
        if passed >= units:
            return count
        passed += 2 if ord(letter) > 0xFFFF else 1
    return len(text)


def _ordered(start: Any, end: Any) -> Place | None:
    first, last = _number(start), _number(end)
    return (first, last) if first is not None and last is not None and first < last else None


def _number(value: Any) -> int | None:
    """A whole number of at least 0, which Label Studio also writes as a string."""
    if isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) <= 15:
        return int(value)
    whole = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < PARAGRAPH**2
    return int(value) if whole and value == int(value) else None


def names_in(value: Mapping[str, Any], key: str) -> Iterator[str]:
    """The label names of a region's value; none where they are malformed."""
    names = value.get(key)
    if isinstance(names, list):
        yield from (str(name) for name in names)
