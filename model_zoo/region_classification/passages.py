"""What is read of a span: itself, and the sentence around it, which tells what it is as well."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from model_zoo.named_entities.words import read_whole
from model_zoo.texts import PASSAGE
from model_zoo.types import Input, Item, Span

AROUND = 60
"""Characters that are read before and behind a span at most."""
LONGEST = 2000
"""Characters of a span that are read beside what is around it: an encoder takes in fewer."""
_END = re.compile(rf"[.!?](?=\s)|\n|{PASSAGE}")


def passages(source: Input | None, spans: Sequence[Span]) -> list[Item]:
    """Each span and what is around it as one text. Raises `UnreadableInput`."""
    return [Item(f"{span} : {before}{span}{behind}") for before, span, behind in _read(source, spans)]


def pairs(source: Input | None, spans: Sequence[Span]) -> list[Item]:
    """Each span, and it with what is around it, as an encoder of pairs takes them. Raises `UnreadableInput`."""
    found = []
    for before, span, behind in _read(source, spans):
        plain = span[:LONGEST].replace(PASSAGE, "\n")
        found.append(Item(f"{plain}{PASSAGE}{plain} : {before}{plain}{behind}"))
    return found


def _read(source: Input | None, spans: Sequence[Span]) -> Iterator[tuple[str, str, str]]:
    """What is before each span in its sentence, the span itself, and what is behind it."""
    if not spans:
        return
    text = read_whole(source)
    for span in spans:
        start = min(max(span.start, 0), len(text))
        end = min(max(span.end, start), len(text))
        before = _END.split(text[max(start - AROUND, 0) : start])[-1]
        yield before, text[start:end], _END.split(text[end : end + AROUND])[0]
