"""Other spans of a text that are like one somebody has just marked: the same, nearly the same, and alike in meaning."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from model_zoo.texts import PASSAGE
from model_zoo.types import FloatArray

Place = tuple[int, int]
"""Start and end behind the last, in characters of the text."""
Encode = Callable[[Sequence[str]], FloatArray]
"""Texts to vectors of unit length, of shape (texts, dimensions)."""

EXACT = 1.0
FOLDED = 0.95
LEAST = 0.7
"""Score from which on a span is proposed where the config says nothing else."""
NEAR = 0.8
"""Share of pairs of letters in common from which on two spans are spelt alike."""
ALIKE = 0.55
"""Cosine from which on two spans of one form may mean the same kind of thing."""
SHORT = 4
"""Letters below which only the same word is the same."""
MOST_WORDS = 12
MOST = 100
"""Proposals for one span."""
MOST_ENCODED = 10
"""Candidates that are compared by meaning: each takes 3 to 5 ms on a busy core."""

_PARTS = re.compile(f"[\n{PASSAGE}]")
_WORD = re.compile(r"\w+(?:['’.&-]\w+)*")


@dataclass(frozen=True)
class Proposed:
    """A span like the marked one. `score` in [0, 1]."""

    start: int
    end: int
    score: float


def propose(
    text: str,
    marked: Place,
    taken: Sequence[Place],
    encode: Encode | None = None,
    least: float = LEAST,
    deadline: float = float("inf"),
    breaks: Sequence[int] = (),
) -> list[Proposed]:
    """Spans of `text` like `marked`, by place; none overlaps another, the marked one or those `taken`.

    `breaks` are places, in order, at which a word ends though nothing stands there, as between two cells of a table;
    no span goes from one passage into the next. What is compared by meaning comes last, and is left out where
    `deadline` (`time.monotonic`) has passed.
    """
    start, end = marked
    wanted = text[start:end]
    if not wanted.strip() or len(wanted.split()) > MOST_WORDS:
        return []
    words = _words(text, breaks)
    free = _Free(text, [marked, *taken])
    found = free.take(_same(text, wanted, frozenset(breaks)), least)
    found += free.take(_spelt_alike(text, wanted, words), least)
    if encode is not None and time.monotonic() < deadline:
        found += free.take(_meant_alike(text, wanted, words, free, encode), least)
    return sorted(found[:MOST], key=lambda one: one.start)


class _Free:
    """The characters that no span covers yet."""

    def __init__(self, text: str, taken: Iterable[Place]) -> None:
        self._covered = np.zeros(len(text) + 1, np.bool_)
        for start, end in taken:
            self._covered[start:end] = True

    def take(self, candidates: Iterable[Proposed], least: float) -> list[Proposed]:
        """Those that are free and good enough, the best first; they are free no longer."""
        found = []
        for one in sorted(candidates, key=lambda one: (-one.score, one.start)):
            if one.score >= least and self.is_free(one.start, one.end):
                self._covered[one.start : one.end] = True
                found.append(one)
        return found

    def is_free(self, start: int, end: int) -> bool:
        return not self._covered[start:end].any()


def _words(text: str, breaks: Sequence[int]) -> list[Place]:
    """Where each word is."""
    edges = [0, *breaks, len(text)]
    return [found.span() for begin, end in pairwise(edges) for found in _WORD.finditer(text, begin, end)]


def _same(text: str, wanted: str, breaks: frozenset[int]) -> Iterator[Proposed]:
    """The same letters, in any case, not within a word; words may be parted by any white space."""
    pattern = r"\s+".join(re.escape(word) for word in wanted.split())
    whole = wanted.strip()[:1].isalnum(), wanted.strip()[-1:].isalnum()
    wanted = " ".join(wanted.split())
    for found in re.finditer(pattern, text, re.IGNORECASE):
        edges = zip(whole, found.span(), strict=True)
        if PASSAGE in found.group() or any(word and _within(text, at) and at not in breaks for word, at in edges):
            continue
        same = " ".join(found.group().split()) == wanted
        # What is a name and what is a word differ in their capitals alone.
        folded = FOLDED if found.group()[:1].isupper() or not wanted[:1].isupper() else FOLDED - 0.3
        yield Proposed(*found.span(), EXACT if same else folded)


def _within(text: str, at: int) -> bool:
    """Whether letters stand on both sides of a place."""
    return 0 < at < len(text) and all(letter.isalnum() or letter == "_" for letter in text[at - 1 : at + 1])


def _spelt_alike(text: str, wanted: str, words: Sequence[Place]) -> Iterator[Proposed]:
    """Plurals, genitives, slips: as many words or one more or less, most pairs of letters in common."""
    folded = " ".join(wanted.casefold().split())
    if len(folded) < SHORT:
        return
    pairs = _pairs(folded)
    count = len(_WORD.findall(wanted))
    known: dict[str, float] = {}
    for size in {max(count - 1, 1), count, count + 1}:
        for start, end in _runs(words, size):
            if not 0.7 * len(folded) <= end - start <= 1.4 * len(folded):
                continue
            candidate = text[start:end].casefold()
            if candidate not in known:
                known[candidate] = _dice(pairs, _pairs(candidate))
            same = " ".join(candidate.split()) == folded  # which `_same` has judged
            if known[candidate] >= NEAR and not same and not _PARTS.search(candidate):
                yield Proposed(start, end, 0.9 * known[candidate])


def _meant_alike(text: str, wanted: str, words: Sequence[Place], free: _Free, encode: Encode) -> Iterator[Proposed]:
    """Spans of the same form (capitals, digits, number of words) whose meaning is near, by their cosine."""
    form = _form(wanted)
    if not form or form.strip("x ") == "":
        return  # ordinary words look like all others
    places: dict[str, list[Place]] = {}
    for place in _maximal(text, words, len(form.split())):
        candidate = text[place[0] : place[1]]
        if _form(candidate) == form and free.is_free(*place) and candidate.casefold() != wanted.casefold():
            places.setdefault(candidate, []).append(place)
    often = sorted(places, key=lambda candidate: -len(places[candidate]))[:MOST_ENCODED]
    if not often:
        return
    vectors = encode([wanted, *often])
    for candidate, cosine in zip(often, (vectors[1:] @ vectors[0]).tolist(), strict=True):
        if cosine >= ALIKE:
            for place in places[candidate]:
                yield Proposed(*place, min(0.6 + 0.4 * (cosine - ALIKE) / (1 - ALIKE), 0.9))


def _runs(words: Sequence[Place], size: int) -> Iterator[Place]:
    """Every run of so many words."""
    return ((words[at][0], words[at + size - 1][1]) for at in range(len(words) - size + 1))


def _maximal(text: str, words: Sequence[Place], size: int) -> Iterator[Place]:
    """Runs of so many words of one form that no further word of that form continues: whole names alone."""
    begins = [text[start : start + 1].isupper() for start, _ in words]
    for at in range(len(words) - size + 1):
        start, end = words[at][0], words[at + size - 1][1]
        before = at > 0 and begins[at - 1] and text[words[at - 1][1] : start] == " "
        after = at + size < len(words) and begins[at + size] and text[end : words[at + size][0]] == " "
        if (
            not before
            and not after
            and all(text[words[k][1] : words[k + 1][0]] == " " for k in range(at, at + size - 1))
        ):
            yield start, end


def _form(span: str) -> str:
    """Each word as X (begins with a capital), 9 (has a digit) or x."""
    return " ".join(
        "9" if any(letter.isdigit() for letter in word) else "X" if word[:1].isupper() else "x"
        for word in _WORD.findall(span)
    )


def _pairs(text: str) -> Counter[str]:
    return Counter(text[at : at + 2] for at in range(len(text) - 1))


def _dice(first: Counter[str], second: Counter[str]) -> float:
    """Sørensen's and Dice's share of pairs of letters in common."""
    return 2 * (first & second).total() / max(first.total() + second.total(), 1)
