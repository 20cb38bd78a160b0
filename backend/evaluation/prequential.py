"""The running accuracy: every prediction is judged by the annotation that replaces it, before that is learnt from.

Needs no test set and costs no label. Annotations that were made from the prediction lean towards it, so those made
without seeing one are counted apart as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from backend.evaluation.comparison import wilson_interval
from backend.projects.judgement import Outcome
from backend.store.ledger import Judged

RECENT = 100
"""Judged predictions that a new model is held against: the oldest of many are of models that knew little."""


@dataclass(frozen=True)
class Running:
    """What became of predictions that people have judged."""

    version: str
    """Whose predictions; empty for those of several versions."""
    judged: int
    accuracy: float
    interval: tuple[float, float]
    """95 % Wilson interval of the accuracy."""
    unseen: int
    accuracy_unseen: float | None
    """Over annotations that were made without seeing the prediction; None when there are none."""
    edits: float
    """Mean number of labels changed."""
    lead_time: float | None
    """Median seconds that an annotation took; None when Label Studio timed none."""


def running(
    judgements: Iterable[Judged], *, control: str | None = None, last: int | None = None, version: str | None = None
) -> Running | None:
    """Sum up the ledger's judgements: of one control and version or all, the `last` so many or all.

    None while nothing was judged. Only what people decided counts: accepted runs and imports judge nothing.
    """
    counted = [judged for judged in judgements if _counts(judged, control, version)][-last if last else 0 :]
    if not counted:
        return None
    unseen = [judged for judged in counted if judged.outcome is Outcome.UNSEEN]
    times = [judged.lead_time for judged in counted if judged.lead_time is not None]
    right = sum(judged.correct is True for judged in counted)
    return Running(
        version=version or "",
        judged=len(counted),
        accuracy=right / len(counted),
        interval=wilson_interval(right, len(counted)),
        unseen=len(unseen),
        accuracy_unseen=sum(judged.correct is True for judged in unseen) / len(unseen) if unseen else None,
        edits=sum(judged.edits or 0 for judged in counted) / len(counted),
        lead_time=median(times) if times else None,
    )


def recent(judgements: Iterable[Judged], control: str, last: int = RECENT) -> dict[int, bool]:
    """Whether the control's predictions were right, by task: those that people judged last."""
    counted = [judged for judged in judgements if _counts(judged, control, None)][-last:]
    return {judged.task: judged.correct is True for judged in counted}


def running_accuracy(judgements: Iterable[Judged], *, control: str | None = None) -> list[Running]:
    """One entry for each version whose predictions were judged, in order of the first judgement."""
    versions: dict[str, list[Judged]] = defaultdict(list)
    for judged in judgements:
        if judged.version is not None:
            versions[judged.version].append(judged)
    each = (running(group, control=control, version=version) for version, group in versions.items())
    return [entry for entry in each if entry is not None]


def _counts(judged: Judged, control: str | None, version: str | None) -> bool:
    return (
        judged.provenance.is_human
        and judged.edits is not None
        and control in (None, judged.control)
        and version in (None, judged.version)
    )
