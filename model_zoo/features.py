"""Items with the features of a frozen encoder: encoded where they carry none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model_zoo.base import UNWATCHED, Encoder, Watch
from model_zoo.types import Item


def with_features(encoder: Encoder, items: Sequence[Item], watch: Watch = UNWATCHED) -> Sequence[Item]:
    """The same items, each with its features; only those without are encoded."""
    missing = [index for index, item in enumerate(items) if item.features is None]
    if not missing:
        return items
    rows = encoder.encode([items[index].input for index in missing], watch)
    completed = list(items)
    for index, row in zip(missing, rows, strict=True):
        completed[index] = replace(items[index], features=row)
    return completed
