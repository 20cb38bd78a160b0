"""What a project's versions learnt from: compared, and exported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import InvalidRequest, StoreError
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.lifecycle.datasets import FORMATS
from backend.projects.identity import UNTRAINED
from backend.settings import Settings
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.records import Record
from backend.store.snapshots import Change, Snapshots
from backend.store.versions import Versions

HEAD = "head"
"""The newest snapshot, which a version may not have learnt from yet."""
SHORTEST = 6
"""Digits of a snapshot's id that name it."""


@dataclass(frozen=True)
class Data:
    """One project's snapshots, and its labelling config as last seen."""

    uid: str
    config: LabellingConfig
    snapshots: Snapshots
    versions: Versions

    def find(self, name: str) -> str:
        """The snapshot's id, by the name of a version, the beginning of the id, or `head`.

        Raises `InvalidRequest`, `UnknownVersion`, `StoreError`.
        """
        if name == HEAD:
            found = self.snapshots.head(self.uid)
        elif name.startswith("v"):
            found = self.versions.get(self.uid, name).snapshot if name != UNTRAINED else None
        else:
            known = [one for one in self.snapshots.names(self.uid) if len(name) >= SHORTEST and one.startswith(name)]
            found = known[0] if len(known) == 1 else None
        if found is None:
            raise InvalidRequest(
                f"Got {name!r} as a snapshot, wanted a version that learnt from one, the first {SHORTEST} digits of an "
                f"id (`prelabel versions --json` has them), or {HEAD!r}."
            )
        return found


def open_data(settings: Settings, project: int) -> Data:
    """The data of the project of that id in Label Studio. Raises `UnknownProject`, `InvalidConfig`."""
    store = ObjectStore(settings.store_address)
    record = ProjectRecords(store).newest(project)
    return Data(record.uid, parse_config(record.label_config), Snapshots(store), Versions(store))


def compare(data: Data, old: str, new: str) -> list[dict[str, Any]]:
    """Every task that differs: what happened to it, and its labels before and after."""
    return [_row(change) for change in data.snapshots.diff(data.uid, data.find(old), data.find(new))]


def describe(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Lines for people: how many of each, then one a task."""
    if not rows:
        yield "Nothing differs."
        return
    counts = Counter(str(row["change"]) for row in rows)
    yield ", ".join(f"{count} {change}" for change, count in sorted(counts.items()))
    for row in rows:
        arrow = {"added": row["after"], "removed": row["before"]}.get(row["change"])
        yield f"{row['change']:>8} task {row['task']}: {arrow if arrow is not None else _arrow(row)}"


def export(data: Data, name: str, format_name: str, output: Path) -> int:
    """Write a snapshot in one of the formats into the folder `output`; how many tasks it has."""
    write = FORMATS.get(format_name)
    if write is None:
        raise InvalidRequest(f"Got the format {format_name!r}, wanted one of: {', '.join(FORMATS)}.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise StoreError(f"{output} is there already and not an empty folder. Name another.")
    records = list(data.snapshots.read(data.uid, data.find(name)))
    write(data.config, records, output)
    return len(records)


def _row(change: Change) -> dict[str, Any]:
    kind = "added" if change.before is None else "removed" if change.after is None else "changed"
    return {"task": change.task, "change": kind, "before": _said(change.before), "after": _said(change.after)}


def _said(record: Record | None) -> str:
    """What people answered, in a few words: labels with how often they were given."""
    if record is None:
        return ""
    counts = Counter(
        f"{region.get('from_name')}={label}"
        for annotation in record.submitted
        for region in annotation.result
        for label in _names(region)
    )
    words = [name if count == 1 else f"{name} x{count}" for name, count in sorted(counts.items())]
    return ", ".join(words) or ("nothing" if record.submitted else "no annotation")


def _names(region: Any) -> list[str]:
    """The labels of one region, whatever its type: they lie under the type's name."""
    value = region.get("value")
    labels = value.get(region.get("type")) if isinstance(value, dict) else None
    return [str(label) for label in labels] if isinstance(labels, list) else [str(region.get("type"))]


def _arrow(row: dict[str, Any]) -> str:
    return f"{row['before']} -> {row['after']}" if row["before"] != row["after"] else f"{row['after']} (saved again)"
