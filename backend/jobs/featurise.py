"""Items with features: taken from the store where they were computed before, computed once and stored otherwise."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.errors import PrelabelError, TaskUnusable
from backend.labelstudio.config import Control
from backend.serving.inputs import InputReader, Task, content_key
from backend.store.features import FeatureStore
from model_zoo.base import Encoder, Family, Watch
from model_zoo.errors import UnreadableInput
from model_zoo.types import FloatArray, Input, Item

log = logging.getLogger(__name__)

BATCH = 64
"""Inputs that are read, encoded and stored together; what a killed job loses is at most this much work."""

UNWATCHED = Watch()

Step = Callable[[int, int], None]
"""Told after each batch: how many inputs are encoded, of how many."""


@dataclass(frozen=True)
class Featurised:
    """`items`: one a task, in order, None where the task is unusable; `problems`: why, by position."""

    items: list[Item | None]
    problems: dict[int, str]


class Featuriser:
    """Computes and keeps the features of one project's tasks."""

    def __init__(self, uid: str, features: FeatureStore, inputs: InputReader) -> None:
        self._uid = uid
        self._features = features
        self._inputs = inputs

    def items(
        self,
        control: Control,
        family: Family,
        tasks: Sequence[Task],
        step: Step = lambda done, total: None,
        watch: Watch = UNWATCHED,
        own: Encoder | None = None,
    ) -> Featurised:
        """Items for `tasks`. Families without an encoder get their raw inputs. `own` is the encoder that a model has
        trained for itself, whose features are then computed, under its name, in place of the family's."""
        encoder = own or family.encoder()
        if encoder is None:
            return self._raw(control, tasks)
        keys, problems = _keys(control, tasks)
        wanted = list(keys.values())
        known = self._features.get(self._uid, encoder.name, wanted)
        missing = {key: position for position, key in keys.items() if key not in known}
        positions = sorted(missing.values())
        for start in range(0, len(positions), BATCH):
            chosen = positions[start : start + BATCH]
            fresh = self._encode(control, encoder, [(at, keys[at], tasks[at]) for at in chosen], problems, watch)
            self._features.add(self._uid, encoder.name, fresh)
            known.update(fresh)
            step(min(start + BATCH, len(positions)), len(positions))
        problems.update({at: problems[missing[key]] for at, key in keys.items() if missing.get(key) in problems})
        rows = [known.get(keys[at]) if at in keys else None for at in range(len(tasks))]
        return Featurised([_item(row, own) for row in rows], problems)

    def beside(
        self,
        found: Featurised,
        control: Control,
        family: Family,
        tasks: Sequence[Task],
        own: Encoder | None,
        inputs: bool,
        watch: Watch = UNWATCHED,
    ) -> Featurised:
        """The same items with features of a model's own encoder, and with their inputs; what cannot be read for that is
        left out, for what looks at it could do nothing with the rest."""
        items, problems = list(found.items), dict(found.problems)
        if own is not None:
            more = self.items(control, family, tasks, watch=watch, own=own)
            problems = {**more.problems, **problems}
            items = [
                replace(item, others=other.others) if item is not None and other is not None else None
                for item, other in zip(items, more.items, strict=True)
            ]
        if inputs:
            raw = self._raw(control, tasks)
            problems = {**raw.problems, **problems}
            items = [
                replace(item, input=other.input) if item is not None and other is not None else None
                for item, other in zip(items, raw.items, strict=True)
            ]
        return Featurised(items, problems)

    def unread(self, control: Control, family: Family, tasks: Sequence[Task], own: Encoder | None = None) -> set[int]:
        """Positions of those `tasks` that would have to be read and encoded first."""
        encoder = own or family.encoder()
        if encoder is None:
            return set()
        keys = _keys(control, tasks)[0]
        missing = set(self._features.missing(self._uid, encoder.name, keys.values()))
        return {at for at, key in keys.items() if key in missing}

    def _encode(
        self,
        control: Control,
        encoder: Encoder,
        batch: Sequence[tuple[int, str, Task]],
        problems: dict[int, str],
        watch: Watch,
    ) -> dict[str, FloatArray]:
        read: list[tuple[int, str, Input]] = []
        for (at, key, _), value in zip(
            batch, self._inputs.read_many(control, [task for _, _, task in batch]), strict=True
        ):
            if isinstance(value, PrelabelError):
                problems[at] = str(value)
            else:
                read.append((at, key, value))
        return _encoded(encoder, read, problems, watch)

    def _raw(self, control: Control, tasks: Sequence[Task]) -> Featurised:
        problems: dict[int, str] = {}
        items: list[Item | None] = []
        for at, value in enumerate(self._inputs.read_many(control, tasks)):
            if isinstance(value, PrelabelError):
                problems[at] = str(value)
            items.append(None if isinstance(value, PrelabelError) else Item(value))
        return Featurised(items, problems)


def _item(row: FloatArray | None, own: Encoder | None) -> Item | None:
    if row is None:
        return None
    return Item(features=row) if own is None else Item(others={own.name: row})


def _keys(control: Control, tasks: Sequence[Task]) -> tuple[dict[int, str], dict[int, str]]:
    keys: dict[int, str] = {}
    problems: dict[int, str] = {}
    for at, task in enumerate(tasks):
        try:
            keys[at] = content_key(control, task)
        except TaskUnusable as error:
            problems[at] = str(error)
    return keys, problems


def _encoded(
    encoder: Encoder, read: Sequence[tuple[int, str, Input]], problems: dict[int, str], watch: Watch
) -> dict[str, FloatArray]:
    """Features by key; when a batch holds an unreadable input its halves are tried, so that one costs one."""
    if not read:
        return {}
    try:
        vectors = encoder.encode([value for _, _, value in read], watch)
    except UnreadableInput as error:
        if len(read) == 1:
            problems[read[0][0]] = str(error)
            return {}
        half = len(read) // 2
        return {**_encoded(encoder, read[:half], problems, watch), **_encoded(encoder, read[half:], problems, watch)}
    return {key: np.asarray(vector, np.float32) for (_, key, _), vector in zip(read, vectors, strict=True)}
