"""What is read of a span: itself, and then the sentence around it, which tells what it is as well."""

from __future__ import annotations

import re
from collections.abc import Sequence

from model_zoo.named_entities.words import read_whole
from model_zoo.types import Box, Input, Item

AROUND = 60
"""Characters that are read before and behind a span at most."""
_END = re.compile(r"[.!?](?=\s)|\n")


def passages(source: Input | None, spans: Sequence[Box]) -> list[Item]:
    """Each span as an encoder of texts takes it. Raises `UnreadableInput`."""
    if not spans:
        return []
    text, found = read_whole(source), []
    for span in spans:
        start = min(max(int(span.left), 0), len(text))
        end = min(max(int(span.right), start), len(text))
        before = _END.split(text[max(start - AROUND, 0) : start])[-1]
        behind = _END.split(text[end : end + AROUND])[0]
        found.append(Item(f"{text[start:end]} : {before}{text[start:end]}{behind}"))
    return found
