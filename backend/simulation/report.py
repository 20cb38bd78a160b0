"""What a simulation says, in a schema that stays: documented in the README, tested, and only ever added to."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import comb
from statistics import median
from typing import Any

from backend.simulation.costs import Costs

SIMULATED = (
    "Simulated: the labels are those of the set, the annotator is a program that never errs, and seconds are actions "
    "times assumed costs."
)


@dataclass(frozen=True)
class Run:
    """One project after one budget. Actions, seconds and label efficiency are those of all tasks labelled so far;
    `train_seconds` are those of the last training."""

    strategy: str
    seed: int
    budget: int
    metric_name: str
    metric: float
    metrics: Mapping[str, float]
    label_efficiency: float
    actions_manual: int
    actions_assisted: int
    seconds_manual: float
    seconds_assisted: float
    train_seconds: float
    notes: tuple[str, ...] = field(default=(), repr=False)
    """Sentences about what went wrong; for people, and no part of the schema."""

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "notes"}


@dataclass(frozen=True)
class Report:
    """All runs over one set."""

    dataset: str
    format: str
    task: str
    costs: Costs
    runs: Sequence[Run]

    def to_json(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "format": self.format,
            "task": self.task,
            "simulated": True,
            "note": SIMULATED,
            "costs": self.costs.to_json(),
            "runs": [run.to_json() for run in self.runs],
        }

    def to_text(self) -> str:
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False)


@dataclass(frozen=True)
class Interval:
    """The median over seeds, with its confidence interval between two of the seeds' figures; see `certainty`."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Interval:
        known = sorted(values)
        outer = _left_out(len(known))
        return cls(median(known), known[outer], known[-1 - outer])


WANTED = 0.95
"""How sure an interval is to hold the median, where there are seeds enough."""


def certainty(seeds: int) -> float:
    """The probability that the intervals over so many seeds hold the median over all seeds there are. Whatever the
    distribution, each seed lies below it as likely as above (David and Nagaraja 2003, "Order Statistics", 7.1). From
    the lowest to the highest: 0.75 for three seeds, 0.94 for five, 0.97 for six."""
    return _coverage(seeds, _left_out(seeds))


def spread(seeds: int) -> str:
    """What the intervals over so many seeds are, in words; empty for a single seed."""
    if seeds < 2:
        return ""
    outer = _left_out(seeds)
    which = "from the lowest to the highest seed" if not outer else f"leaving out {outer} of the seeds at either end"
    return f"{certainty(seeds):.0%} interval of the median, {which}"


def _left_out(seeds: int) -> int:
    """Seeds at either end that an interval can do without and still be `WANTED`; none where all together are not."""
    outer = 0
    while 2 * (outer + 1) < seeds and _coverage(seeds, outer + 1) >= WANTED:
        outer += 1
    return outer


def _coverage(seeds: int, outer: int) -> float:
    """That the median lies between the order statistics `outer` + 1 from either end: neither tail of a fair coin."""
    return 1 - sum(comb(seeds, low) for low in range(outer + 1)) / 2.0 ** (seeds - 1)


@dataclass(frozen=True)
class Summary:
    """One strategy after one budget, over the seeds."""

    strategy: str
    budget: int
    seeds: int
    metric_name: str
    metric: Interval
    step_label_efficiency: Interval
    label_efficiency: Interval
    actions_manual: Interval
    actions_assisted: Interval
    seconds_manual: Interval
    seconds_assisted: Interval
    train_seconds: Interval

    @property
    def saved(self) -> float:
        """The share of the annotator's seconds that pre-labels save; negative where they cost some."""
        return 1 - self.seconds_assisted.middle / self.seconds_manual.middle if self.seconds_manual.middle else 0.0


def summarise(runs: Iterable[Run]) -> list[Summary]:
    """A summary for each strategy and budget, in the order of the runs."""
    groups: dict[tuple[str, int], list[Run]] = defaultdict(list)
    for run in runs:
        groups[run.strategy, run.budget].append(run)
    return [_summary(strategy, budget, group) for (strategy, budget), group in groups.items()]


def _summary(strategy: str, budget: int, group: Sequence[Run]) -> Summary:
    def over(name: str) -> Interval:
        return Interval.of(getattr(run, name) for run in group)

    return Summary(
        strategy,
        budget,
        len(group),
        group[0].metric_name,
        over("metric"),
        Interval.of(run.metrics["step_label_efficiency"] for run in group),
        over("label_efficiency"),
        over("actions_manual"),
        over("actions_assisted"),
        over("seconds_manual"),
        over("seconds_assisted"),
        over("train_seconds"),
    )
