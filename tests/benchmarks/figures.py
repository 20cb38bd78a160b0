"""What a benchmark measures, beside what it should be; printed, and kept in a Markdown file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured value. `limit` is the highest value that reaches the target; None where there is no target.

    `note` says how it was measured, what is simulated, and what others need.
    """

    part: str
    what: str
    value: float
    unit: str
    limit: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        return None if self.limit is None else self.value <= self.limit

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        target = "" if self.limit is None else f"at most {shown(self.limit, self.unit)}"
        verdict = {None: "", True: "reached", False: "MISSED"}[self.reached]
        return (f"{self.part}: {self.what}", shown(self.value, self.unit), target, verdict, self.note)


HEADINGS = ("figure", "measured", "target", "", "how")


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of `values` that at least `share` of them (in (0, 1]) do not exceed: the nearest-rank method."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("Got no values, wanted at least one to take a percentile of.")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Iterable[float]) -> float:
    return percentile(values, 0.5)


def shown(value: float, unit: str) -> str:
    """With three digits that count."""
    if math.isnan(value):
        return "-"
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {unit}".strip()


def text_table(figures: Sequence[Figure]) -> str:
    """For a terminal; the last column stands below where it would make lines too long to read."""
    rows = [figure.row[:-1] for figure in figures]
    widths = [max(len(row[column]) for row in (HEADINGS, *rows)) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
                     for row in (HEADINGS, *rows))  # fmt: skip


def markdown_table(figures: Sequence[Figure]) -> str:
    lines = [f"| {' | '.join(HEADINGS)} |", f"|{' --- |' * len(HEADINGS)}"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in figure.row) + " |" for figure in figures]
    return "\n".join(lines)


def append_results(file: Path, heading: str, facts: Sequence[str], figures: Sequence[Figure]) -> None:
    """Add a run to the end of `file`, which is made when it is not there."""
    append_table(file, heading, facts, markdown_table(figures))


def append_table(file: Path, heading: str, facts: Sequence[str], table: str) -> None:
    """The same with a table of whatever columns."""
    if not file.exists():
        file.write_text("# Results\n\nWritten by `python -m tests.benchmarks.loop`; the newest run is last.\n")
    listed = "\n".join(f"- {fact}" for fact in facts)
    with file.open("a") as opened:
        opened.write(f"\n## {heading}\n\n{listed}\n\n{table}\n")
