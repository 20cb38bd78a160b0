"""Items with the features of a frozen encoder: encoded where they carry none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from model_zoo.base import UNWATCHED, Encoder, Watch
from model_zoo.types import FloatArray, Item


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


def features_of(encoder: Encoder, items: Sequence[Item], watch: Watch = UNWATCHED) -> FloatArray:
    """Features (items, dimensions) by an encoder that is one model's own, computed for items that do not carry them
    under its name."""
    rows = np.empty((len(items), encoder.dimensions), np.float32)
    missing = [at for at, item in enumerate(items) if encoder.name not in item.others]
    if missing:
        rows[missing] = encoder.encode([items[at].input for at in missing], watch)
    for at, item in enumerate(items):
        if encoder.name in item.others:
            rows[at] = item.others[encoder.name]
    return rows
