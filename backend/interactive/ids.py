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


def new_ids(key: str, taken: Collection[str]) -> Iterator[str]:
    """At most 256 ids for one answer. The same `key` (task and what was drawn in it) gives the same ones, so that an
    answer to a further click replaces the one before; an answer that would collide with `taken` gets others."""
    for attempt in range(_LARGEST):
        group = blake2b(f"{key}\0{attempt}".encode(), digest_size=3).hexdigest()
        if not any(group == group_of(one) for one in taken):
            break
    for number in range(_LARGEST):
        yield f"{_MARK}{group}{number:02x}"


def spared(control: Control, result: Iterable[Mapping[str, Any]]) -> int:
    """How many regions of the control came with others of the same answer: that many actions fewer than regions."""
    own = {str(region.get("id")) for region in result if control.owns(region.get("from_name"))}
    groups = [group for identifier in own if (group := group_of(identifier)) is not None]
    return len(groups) - len(set(groups))


def group_of(identifier: str) -> str | None:
    """Which answer a region came with; None for one that was drawn by hand or predicted."""
    found = _FORM.fullmatch(identifier)
    return found.group(1) if found else None
