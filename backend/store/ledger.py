"""What happened: which prediction each annotation was made from and what became of it; trainings and publishes.

Facts are only ever added. A job that runs twice adds the same facts twice, which reading tells apart.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from backend.errors import StoreError
from backend.projects.judgement import Outcome
from backend.projects.provenance import Provenance
from backend.projects.roles import Role
from backend.store import paths
from backend.store.objects import ObjectStore, to_json
from backend.store.segments import SegmentLog

log = logging.getLogger(__name__)

_MERGE_ABOVE = 64
"""Segments a project may have before they are merged into one."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Judged:
    """One annotation's answer to one control, held against the prediction that was there before it.

    `version` and `prediction` (Label Studio's id) are None when no prediction is known. `edits` counts labels changed
    from prediction to annotation; None without prediction. `lead_time` is in seconds, `at` in Unix seconds: when
    the annotation was last saved. `confidence` is the shown prediction's, in [0, 1]. `regions` counts labels or
    regions that the prediction had, the annotation has, and both have.
    """

    task: int
    annotation: int
    control: str
    outcome: Outcome
    at: float
    version: str | None = None
    prediction: int | None = None
    edits: int | None = None
    lead_time: float | None = None
    confidence: float | None = None
    annotator: int | None = None
    role: Role = Role.TRAIN
    provenance: Provenance = Provenance.HUMAN
    regions: tuple[int, int, int] | None = None

    @property
    def correct(self) -> bool | None:
        """Whether the prediction said what the annotation says; None when there was none."""
        return None if self.edits is None else self.edits == 0


@dataclass(frozen=True)
class Event:
    """Something that happened to the project: `kind` is a short name such as `train`, `publish` or `accept`."""

    kind: str
    at: float
    detail: Mapping[str, Any] = field(default_factory=dict)


Entry = Judged | Event

_Lines = dict[bytes, Entry]
"""A segment: each entry by its canonical line, so that the same fact told twice is one."""


class Ledger:
    """The ledgers of all projects in a store. Safe for threads and processes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[str, dict[str, _Lines]] = {}

    def append(self, uid: str, entries: Iterable[Entry]) -> None:
        """Record facts; all of them or, when this fails, none."""
        data = b"".join(to_json(_row(entry)) + b"\n" for entry in entries)
        if data:
            self._log(uid).append(data)
            try:
                self._merge(uid)
            except StoreError as error:  # what was to be recorded is; the next one merges
                log.warning("The ledger of project %s is left in many small files: %s", uid, error)

    def read(self, uid: str) -> list[Entry]:
        """Every fact once, by time; those of the same time in the order in which they were recorded."""
        unique = {line: entry for lines in self._load(uid).values() for line, entry in lines.items()}
        return sorted(unique.values(), key=lambda entry: entry.at)

    def judgements(self, uid: str) -> list[Judged]:
        """The last word on every annotation and control, by time.

        One that no longer knows the prediction (its row may be gone by then) does not displace one that did.
        """
        last: dict[tuple[int, str], Judged] = {}
        for entry in self.read(uid):
            if isinstance(entry, Judged):
                earlier = last.get((entry.annotation, entry.control))
                if earlier is None or entry.edits is not None or earlier.edits is None:
                    last[entry.annotation, entry.control] = entry
        return sorted(last.values(), key=lambda entry: entry.at)

    def events(self, uid: str, kind: str | None = None) -> list[Event]:
        """Events of one kind, or all, by time."""
        return [entry for entry in self.read(uid) if isinstance(entry, Event) and kind in (None, entry.kind)]

    def _merge(self, uid: str) -> None:
        segments = self._load(uid)
        if len(segments) > _MERGE_ABOVE:
            lines = dict.fromkeys(line for lines in segments.values() for line in lines)
            self._log(uid).merge(segments, b"".join(line + b"\n" for line in lines))

    def _load(self, uid: str) -> dict[str, _Lines]:
        loaded = self._log(uid).load(lambda name: _decode(self._store.read(name)), self._known.get(uid, {}))
        self._known[uid] = loaded
        return loaded

    def _log(self, uid: str) -> SegmentLog:
        return SegmentLog(self._store, paths.within(uid, "ledger"), ".jsonl")


def _decode(data: bytes) -> _Lines:
    try:
        return {line: _entry(json.loads(line)) for line in data.splitlines()}
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"A segment of the ledger is damaged: {error}. Restore it or delete it.") from None


def _row(entry: Entry) -> dict[str, Any]:
    return {"type": "judged" if isinstance(entry, Judged) else "event", **asdict(entry)}


def _entry(row: dict[str, Any]) -> Entry:
    if row["type"] == "event":
        return _known(Event, row)
    enums = {
        "outcome": Outcome(row["outcome"]),
        "role": Role(row.get("role", Role.TRAIN)),
        "provenance": Provenance(row.get("provenance", Provenance.HUMAN)),
    }
    regions = tuple(row["regions"]) if row.get("regions") else None
    return _known(Judged, {**row, **enums, "regions": regions})


def _known(cls: type[_T], row: Mapping[str, Any]) -> _T:
    names = {item.name for item in fields(cls)}  # type: ignore[arg-type]  # both callers are dataclasses
    return cls(**{name: value for name, value in row.items() if name in names})
