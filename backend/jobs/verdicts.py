"""What the gate said of each challenger: kept in the ledger with the challenger's numbers, promoted or not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from backend.errors import StoreError
from backend.evaluation.comparison import Comparison
from backend.evaluation.gate import Verdict
from backend.projects.identity import version_number
from backend.store.ledger import Event, Ledger
from backend.store.manifest import ControlVersion, Manifest
from backend.store.versions import Versions

VERDICT = "verdict"
"""The kind of ledger event that says what the gate made of a challenger."""
LEARNT_FROM = "learnt_from"
"""Key in a part's recipe: the fingerprint of its training examples. An equal one would give the same model."""


@dataclass(frozen=True)
class Challenger:
    """One control's challenger: what it would have served, and the gate's verdict. `at` is in Unix seconds."""

    control: str
    part: ControlVersion
    verdict: Verdict
    at: float


def record(ledger: Ledger, uid: str, control: str, part: ControlVersion, verdict: Verdict) -> None:
    """Keep a challenger with its numbers and the reason."""
    compared = asdict(verdict.comparison) if verdict.comparison else None
    detail = {
        "control": control,
        "promote": verdict.promote,
        "reason": verdict.reason,
        "comparison": compared,
        "part": part.to_json(),
    }
    ledger.append(uid, [Event(VERDICT, time.time(), detail)])


def challengers(ledger: Ledger, uid: str) -> list[Challenger]:
    """All there were, by time. Those of releases that kept less are left out."""
    found = []
    for event in ledger.events(uid, VERDICT):
        part, compared = event.detail.get("part"), event.detail.get("comparison")
        if part is not None:
            verdict = Verdict(
                bool(event.detail["promote"]),
                str(event.detail["reason"]),
                Comparison(**compared) if compared else None,
            )
            control = str(event.detail["control"])
            found.append(Challenger(control, ControlVersion.from_json(part), verdict, event.at))
    return found


def waiting(ledger: Ledger, uid: str, since: float) -> dict[str, Challenger]:
    """The newest challenger of each control that was held back after the time `since`."""
    later = [one for one in challengers(ledger, uid) if one.at > since]
    newest = {one.control: one for one in later}
    return {control: one for control, one in newest.items() if not one.verdict.promote}


def refused(ledger: Ledger, versions: Versions, uid: str, champion: Manifest | None) -> frozenset[str]:
    """Fingerprints of what must not be trained again: the gate held the model back, or people went back from it."""
    held = {str(one.part.recipe.get(LEARNT_FROM)) for one in challengers(ledger, uid) if not one.verdict.promote}
    left = (part for manifest in _left(versions, uid, champion) for part in manifest.controls.values())
    return frozenset(held | {str(part.recipe.get(LEARNT_FROM)) for part in left})


def _left(versions: Versions, uid: str, champion: Manifest | None) -> Sequence[Manifest]:
    """Published versions newer than the one that training goes on from: somebody made that current again."""
    if champion is None:
        return []
    later = [name for name in versions.names(uid) if version_number(name) > version_number(champion.name)]
    found = []
    for name in later:
        try:
            found.append(versions.get(uid, name))
        except StoreError:  # damaged, which is no reason to end a training
            continue
    return found
