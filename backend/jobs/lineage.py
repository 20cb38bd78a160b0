"""A project's versions as plain data for pages, programs and the terminal."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from backend.errors import StoreError
from backend.evaluation.measures import measures, spoken_time, time_saved
from backend.jobs.verdicts import Challenger, challengers
from backend.store.ledger import Ledger
from backend.store.manifest import Manifest
from backend.store.versions import Versions


def lineage(versions: Versions, ledger: Ledger, uid: str) -> dict[str, Any]:
    """What serves, whether it is pinned, every version with all that is recorded of it, oldest first, what the gate
    held back, and what the control arm says of the time that predictions save (None while it says nothing)."""
    pointer, judged = versions.pointer(uid), ledger.judgements(uid)
    measured: dict[str, dict[str, Any]] = {}
    for one in measures(judged):
        measured.setdefault(one.version, {})[one.control] = asdict(one)
    return {
        "project": uid,
        "current": pointer.current,
        "pinned": pointer.pinned,
        "versions": [{**_row(versions, uid, name), "measures": measured.get(name, {})} for name in versions.names(uid)],
        "held_back": [_held_back(one) for one in challengers(ledger, uid) if not one.verdict.promote],
        "time_saved": {**asdict(saved), "words": spoken_time(saved)} if (saved := time_saved(judged)) else None,
    }


def _row(versions: Versions, uid: str, name: str) -> dict[str, Any]:
    try:
        manifest = versions.get(uid, name)
    except StoreError as error:  # one that is damaged must not hide the others
        return {"name": name, "damaged": str(error)}
    return _plain(manifest)


def _plain(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "created": manifest.created,
        "parent": manifest.parent,
        "snapshot": manifest.snapshot,
        "controls": {name: part.to_json() for name, part in manifest.controls.items()},
        "metrics": dict(manifest.metrics),
        "environment": dict(manifest.environment),
        "cost": dict(manifest.cost),
        "notes": list(manifest.notes),
    }


def _held_back(one: Challenger) -> dict[str, Any]:
    return {"control": one.control, "at": one.at, "reason": one.verdict.reason, "part": one.part.to_json()}
