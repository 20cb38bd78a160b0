"""What became of each version's predictions, control by control, and how much time they saved: from the ledger alone.

Predict first, then learn: every figure is of predictions that were made before their task was labelled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from backend.evaluation.comparison import wilson_interval
from backend.evaluation.intervals import Indices, interval
from backend.projects.judgement import Outcome
from backend.projects.roles import Role
from backend.store.ledger import Judged


@dataclass(frozen=True)
class Measures:
    """One version's predictions for one control, as people judged them. None: nothing of that kind is known.

    `accepted` is the share taken over without a change, of those that were shown, with its 95 % Wilson interval;
    `exact` the share that said just what the answer says, whether shown or not. `precision`, `recall` and `f1` are of
    labels or regions. `efficiency` is the share of labels or regions in the answers that nobody had to edit:
    1 - edits / labels, below 0 where predictions made more work than none. `seconds` is the median of an annotation.
    """

    version: str
    control: str
    judged: int
    shown: int
    accepted: float | None
    interval: tuple[float, float]
    exact: float
    edits: float
    precision: float | None
    recall: float | None
    f1: float | None
    efficiency: float | None
    seconds: float | None


@dataclass(frozen=True)
class TimeSaved:
    """Median seconds of annotations with a prediction, and without (the control arm): of so many each.

    `saved` is the share of the latter that the former lack, with its 95 % bootstrap interval.
    """

    with_prediction: float
    without: float
    counts: tuple[int, int]
    saved: float
    interval: tuple[float, float]


def measures(judgements: Iterable[Judged]) -> list[Measures]:
    """One entry for each version and control whose predictions people judged, in order of the first judgement."""
    groups: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for judged in judgements:
        if judged.version is not None and judged.provenance.is_human and judged.edits is not None:
            groups[judged.version, judged.control].append(judged)
    return [_measured(version, control, group) for (version, control), group in groups.items()]


def time_saved(judgements: Iterable[Judged]) -> TimeSaved | None:
    """None until the control arm and the others have timed annotations. Counts each annotation once."""
    arms: dict[bool, dict[int, float]] = {True: {}, False: {}}
    for judged in judgements:
        if judged.lead_time is None or not judged.provenance.is_human:
            continue
        if judged.version is not None:
            arms[True][judged.annotation] = judged.lead_time
        elif judged.role is Role.CONTROL:
            arms[False][judged.annotation] = judged.lead_time
    helped, alone = (np.array(list(arms[arm].values())) for arm in (True, False))
    if not len(helped) or not len(alone) or np.median(alone) <= 0:
        return None
    both = np.concatenate([helped, alone])
    is_helped = np.arange(len(both)) < len(helped)

    def saved(rows: Indices) -> float:
        drawn, drawn_helped = both[rows], is_helped[rows]
        if drawn_helped.all() or not drawn_helped.any():
            return float("nan")
        return float(1 - np.median(drawn[drawn_helped]) / max(np.median(drawn[~drawn_helped]), 1e-9))

    return TimeSaved(
        float(np.median(helped)),
        float(np.median(alone)),
        (len(helped), len(alone)),
        float(1 - np.median(helped) / np.median(alone)),
        interval(saved, len(both)),
    )


def spoken(found: Measures) -> str:
    """The figures in a few words for people."""
    accepted = "" if found.accepted is None else f"{found.accepted:.0%} of {found.shown} predictions accepted, "
    drawn = "" if found.f1 is None or found.f1 == found.exact else f", F1 {found.f1:.2f}"
    seconds = "" if found.seconds is None else f", {found.seconds:.0f} s a task"
    return f"{found.version}, {found.control}: {accepted}{found.edits:.1f} edits a task{drawn}{seconds}"


def spoken_time(found: TimeSaved) -> str:
    """The time saved in a few words for people."""
    low, high = found.interval
    return (
        f"{found.with_prediction:.0f} s a task with predictions, {found.without:.0f} s without: "
        f"{found.saved:.0%} saved [{low:.0%}, {high:.0%}]"
    )


def _measured(version: str, control: str, judged: Sequence[Judged]) -> Measures:
    shown = [one for one in judged if one.outcome is not Outcome.UNSEEN]
    accepted = sum(one.outcome is Outcome.ACCEPTED for one in shown)
    counted = [one for one in judged if one.regions is not None]
    predicted, answered, right = (sum(one.regions[at] for one in counted if one.regions) for at in range(3))
    edits = sum(one.edits or 0 for one in counted)
    times = [one.lead_time for one in judged if one.lead_time is not None]
    return Measures(
        version=version,
        control=control,
        judged=len(judged),
        shown=len(shown),
        accepted=accepted / len(shown) if shown else None,
        interval=wilson_interval(accepted, len(shown)),
        exact=sum(one.correct is True for one in judged) / len(judged),
        edits=sum(one.edits or 0 for one in judged) / len(judged),
        precision=right / predicted if predicted else None,
        recall=right / answered if answered else None,
        f1=2 * right / (predicted + answered) if predicted + answered else None,
        efficiency=1 - edits / answered if answered else None,
        seconds=median(times) if times else None,
    )
