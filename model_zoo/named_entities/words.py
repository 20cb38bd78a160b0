"""Texts as words with their places: what a tagger labels one by one.

Words are fine enough that people's spans nearly always begin and end with one: letters and digits stay together, all
else stands alone, and so does each character of scripts written without blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_zoo.errors import UnreadableInput
from model_zoo.types import Input, Span, Spans

MAX_CHARACTERS = 100_000
"""The rest of a longer text is not read: a book in one task costs seconds, and must not cost minutes."""
_ALONE = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Khmer, kana and Chinese characters."""
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
"""Accents, points and vowel signs, which Python counts to no word, and the Indic scripts that need them."""
_WORD = re.compile(rf"[{_ALONE}]|(?:[^\W_{_ALONE}]|[{_MARKS}])+|[^\w\s]|_")


@dataclass(frozen=True)
class Word:
    """`text[start:end]`, in characters as Python counts them."""

    start: int
    end: int
    text: str


def read_words(text: str) -> list[Word]:
    """The words among the first `MAX_CHARACTERS` characters, in order; none overlap."""
    return [Word(found.start(), found.end(), found[0]) for found in _WORD.finditer(text[:MAX_CHARACTERS])]


def read_whole(value: Input | None) -> str:
    """The text of one item. Raises `UnreadableInput` for anything else."""
    if not isinstance(value, str):
        raise UnreadableInput(f"Got {type(value).__name__}, wanted a text; give the item a text as its input.")
    return value


def disjoint(spans: Sequence[Span]) -> Spans:
    """Of spans that overlap the longest, and of equally long ones the first: a tagger gives each word one label."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start - one.end, one.start, one.label)):
        if span.start < span.end and all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept, key=lambda one: one.start))


def covered(words: Sequence[Word], spans: Sequence[Span]) -> Iterator[tuple[int, int, str]]:
    """For each of the disjoint `spans`, in order, the words it touches: index of the first, of the one behind the last,
    label. Spans without a word of their own are left out."""
    at = 0
    for span in spans:
        while at < len(words) and words[at].end <= span.start:
            at += 1
        first = at
        while at < len(words) and words[at].start < span.end:
            at += 1
        if at > first:
            yield first, at, span.label
