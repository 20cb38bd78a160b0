"""Ids of regions that an engine drew: they never collide, and they say which belong to one answer.

Of a region that is taken over, Label Studio's page keeps the id and the score alone. So the id is what tells later that
several regions were one action of a person: two letters, six hexadecimal digits of the answer, two of the region.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from backend.labelstudio.config import Control

_MARK = "pl"
_FORM = re.compile(r"pl([0-9a-f]{6})[0-9a-f]{2}")
_LARGEST = 256
_TRIES = 8
"""Answers to one region whose ids are still known to be so."""


def key_of(task: object, control: str, drawn: object) -> str:
    """What an answer's ids are made from: the task, the control that was pointed with, and the id of what was drawn."""
    return f"{task}\0{control}\0{drawn}"


def new_ids(key: str, taken: Collection[str]) -> Iterator[str]:
    """At most 256 ids for one answer. The same `key` gives the same ones, so that an answer to a further click replaces
    the one before; an answer that would collide with `taken` gets others."""
    used = {group_of(one) for one in taken}
    group = next((group for group in _groups(key, _LARGEST) if group not in used), "")
    for number in range(_LARGEST if group else 0):
        yield f"{_MARK}{group}{number:02x}"


def spared(control: Control, result: Iterable[Mapping[str, Any]], task: int) -> int:
    """How many regions of the control came with others of the same answer, or were what it answers: that many actions
    fewer than regions."""
    own = {str(region.get("id")): str(region.get("from_name")) for region in result if _is_of(control, region)}
    groups = [group for identifier in own if (group := group_of(identifier)) is not None]
    answered = {
        group
        for identifier, name in own.items()
        if groups and group_of(identifier) is None
        for group in _groups(key_of(task, name, identifier), _TRIES)
    }
    return len(groups) - len(set(groups)) + len(answered & set(groups))


def _is_of(control: Control, region: Mapping[str, Any]) -> bool:
    return control.owns(region.get("from_name"))


def _groups(key: str, most: int) -> Iterator[str]:
    return (blake2b(f"{key}\0{attempt}".encode(), digest_size=3).hexdigest() for attempt in range(most))


def group_of(identifier: str) -> str | None:
    """Which answer a region came with; None for one that was drawn by hand or predicted."""
    found = _FORM.fullmatch(identifier)
    return found.group(1) if found else None
