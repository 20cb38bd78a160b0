"""A project's versions, read from the store alone and shown in a terminal."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backend.evaluation.headlines import HOLDOUT, OUT_OF_FOLD, headlines, items
from backend.jobs.lineage import lineage
from backend.settings import Settings
from backend.store.ledger import Ledger
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions

SHOWN = 3
"""Figures beside the share that is wholly right; `--json` has all."""


def read_lineage(settings: Settings, project: int) -> dict[str, Any]:
    """The versions of the project of that id in Label Studio. Raises `UnknownProject`, `StoreError`."""
    store = ObjectStore(settings.store_address)
    return lineage(Versions(store), Ledger(store), ProjectRecords(store).newest(project).uid)


def render_lineage(found: dict[str, Any], console: Console | None = None) -> None:
    """Print a line a control and version, newest first, and what the gate held back."""
    console = console or Console()
    table = Table("version", "made", "after", "control", "labels", "holdout", "out of fold", "people say", "cost")
    for version in reversed(found["versions"]):
        if "damaged" in version:
            table.add_row(_name(found, version["name"]), escape(version["damaged"]))
            continue
        lines = version["controls"] or {"": {"metrics": {}, "trained_in": version["name"]}}
        for number, (control, part) in enumerate(lines.items()):
            first = number == 0
            table.add_row(
                _name(found, version["name"]) if first else "",
                _moment(version["created"]) if first else "",
                (version["parent"] or "") if first else "",
                escape(control),
                f"{part['metrics'].get('answers', 0):.0f}",
                _measured(part["metrics"], HOLDOUT),
                _measured(part["metrics"], OUT_OF_FOLD),
                _judged(version["measures"].get(control)),
                _cost(version["cost"]) if first else "",
            )
    console.print(table if found["versions"] else "No version yet: label a few tasks.")
    for one in found["held_back"]:
        console.print(f"{_moment(one['at'])} {one['control']}: {one['reason']}", markup=False, highlight=False)
    if found["time_saved"]:
        console.print(found["time_saved"]["words"], markup=False, highlight=False)


def _name(found: dict[str, Any], name: str) -> str:
    if name != found["current"]:
        return name
    return f"[bold]{name}[/bold] ({'pinned' if found['pinned'] else 'serves'})"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).astimezone().strftime("%Y-%m-%d %H:%M")


def _measured(metrics: dict[str, float], how: str) -> str:
    """The share that is wholly right, and on lines of their own the foremost other figures; each with its interval."""
    found = list(headlines(metrics, how))
    if not found:
        return ""
    exact, *others = found
    first = f"{exact.removeprefix('exact ')} of {items(metrics, how)}"
    return escape("\n".join([first, *others[:SHOWN]]))


def _judged(measures: dict[str, Any] | None) -> str:
    if measures is None:
        return ""
    share = measures["exact"] if measures["accepted"] is None else measures["accepted"]
    seconds = "" if measures["seconds"] is None else f", {measures['seconds']:.0f} s"
    return f"{share:.0%} of {measures['judged']}, {measures['edits']:.1f} edits{seconds}"


def _cost(cost: dict[str, float]) -> str:
    parts = [f"{cost['seconds']:.0f} s"] if "seconds" in cost else []
    return ", ".join([*parts, *([f"{cost['money']:.4f}"] if "money" in cost else [])])
