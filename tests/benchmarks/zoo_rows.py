"""A line of the zoo's table: a default family at one number of labels beside standard choices, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.figures import median, shown

SLOWEST = 30.0
"""Milliseconds an item that a default may take as compiled, at batch 8."""
LARGEST = 100.0
"""Megabytes on disk that a default may take, its pretrained network included."""
HEADINGS = (
    "part", "measure", "median, worst", "standard choices: median, worst", "to reach", "", "seconds to train",
    "theirs", "ms an item", "MB at peak", "MB on disk", "how",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One draw of labelled examples, learnt by ours and by standard choices, by name: measures that are to be high, and
    with `seconds` what training took. `peak` is what the process held at most while ours trained, `disk` what the
    version takes, both in megabytes."""

    own: Mapping[str, float]
    usual: Mapping[str, Mapping[str, float]]
    peak: float
    disk: float


@dataclass(frozen=True)
class Row:
    """Draws of one part by one measure. `least` is what the issue wants reached besides the standard choices, `fast`
    the standard choice that must take ten times as long. `milliseconds` are an item's as compiled, at batch 8; `apart`
    are the megabytes of a pretrained network that versions share."""

    part: str
    measure: str
    trials: Sequence[Trial]
    milliseconds: float | None = None
    apart: float = 0.0
    least: float | None = None
    fast: str | None = None
    judged: bool = True
    note: str = ""

    @property
    def missed(self) -> list[str]:
        """Which targets are; none where the row is there to be looked at."""
        own, seconds = self._own(self.measure), self._own("seconds")
        misses = [
            f"below {name}"
            for name in self._names()
            if self.judged and median(own) < median(self._theirs(name, self.measure))
        ]
        if self.least is not None and median(own) < self.least:
            misses.append(f"below {self.least:g}")
        if self.fast in self._names() and median(seconds) > median(self._theirs(self.fast, "seconds")) / 10:
            misses.append(f"more than a tenth of {self.fast}'s seconds")
        if self.milliseconds is not None and self.milliseconds > SLOWEST:
            misses.append(f"over {SLOWEST:g} ms")
        if self._disk > LARGEST:
            misses.append(f"over {LARGEST:g} MB")
        return misses

    @property
    def cells(self) -> tuple[str, ...]:
        own = self._own(self.measure)
        named = [(name, self._theirs(name, self.measure)) for name in self._names()]
        theirs = "; ".join(f"{name} {median(found):.3f}, {min(found):.3f}" for name, found in named)
        taken = [(name, self._theirs(name, "seconds")) for name in self._names()]
        verdict = f"MISSED: {', '.join(self.missed)}" if self.missed else "reached" if self._targeted else ""
        return (
            self.part, self.measure, f"{median(own):.3f}, {min(own):.3f}", theirs,
            "" if self.least is None else f"{self.least:g}", verdict, shown(median(self._own("seconds")), ""),
            "; ".join(shown(median(found), "") for _, found in taken),
            "" if self.milliseconds is None else shown(self.milliseconds, ""),
            shown(max(trial.peak for trial in self.trials), ""), shown(self._disk, ""),
            f"draws: {len(own)}{'; ' if self.note else ''}{self.note}",
        )  # fmt: skip

    @property
    def _targeted(self) -> bool:
        return self.least is not None or (self.judged and bool(self._names()))

    @property
    def _disk(self) -> float:
        return self.apart + max(trial.disk for trial in self.trials)

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for trial in self.trials for name in trial.usual))

    def _own(self, measure: str) -> list[float]:
        return [trial.own.get(measure, 0.0) for trial in self.trials]

    def _theirs(self, name: str, measure: str) -> list[float]:
        return [trial.usual[name].get(measure, 0.0) for trial in self.trials if name in trial.usual]


def table(rows: Sequence[Row]) -> str:
    """In Markdown, whose columns stand one below the other in a terminal, too."""
    cells = [HEADINGS, *(row.cells for row in rows)]
    cells = [tuple(cell.replace("|", "\\|") for cell in line) for line in cells]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    widths[-1] = 0
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    return "\n".join([lines[0], f"|{' --- |' * len(HEADINGS)}", *lines[1:]])
