"""What a simulation looks like in a terminal: a table over the seeds, and the learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from backend.simulation.labelled import LabelledSet
from backend.simulation.report import SIMULATED, Interval, Report, Summary, spread, summarise

SHOWN = 20
"""Problems that are named one by one; the others are counted."""
HEIGHT, WIDTH = 12, 60
"""Of the drawing, in characters."""
MARKS = "●▲■◆✚✖"


def describe_set(found: LabelledSet, console: Console) -> None:
    """What was read, and what could not be."""
    console.print(
        f"Read {len(found.tasks)} tasks with {found.regions} labels or regions of {len(found.labels)} names; "
        f"{len(found.problems)} problems.",
        highlight=False,
    )
    for problem in found.problems[:SHOWN]:
        console.print(str(problem), style="red", markup=False, highlight=False)
    if len(found.problems) > SHOWN:
        console.print(f"and {len(found.problems) - SHOWN} more.", style="red", highlight=False)


def show_report(report: Report, console: Console) -> None:
    summaries = summarise(report.runs)
    console.print(_table(report, summaries))
    console.print("\n".join(curves(summaries)), markup=False, highlight=False, soft_wrap=True)
    console.print(SIMULATED, style="bold", highlight=False)


def _table(report: Report, summaries: Sequence[Summary]) -> Table:
    seeds = max(summary.seeds for summary in summaries)
    between = f" ({spread(seeds)})" if seeds > 1 else ""
    title = f"{report.dataset}, simulated: median of {seeds} seed{'s' * (seeds > 1)}{between}"
    table = Table(title=title, box=SIMPLE, caption="by hand → with pre-labels; right as shown: in the last step")
    table.add_column("strategy")
    for heading in (
        "labelled",
        summaries[0].metric_name,
        "right as shown",
        "actions",
        "seconds",
        "saved",
        "training s",
    ):
        table.add_column(heading, justify="right")
    for summary in summaries:
        table.add_row(
            summary.strategy,
            str(summary.budget),
            _interval(summary.metric),
            _interval(summary.step_label_efficiency),
            f"{summary.actions_manual.middle:.0f} → {summary.actions_assisted.middle:.0f}",
            f"{summary.seconds_manual.middle:.0f} → {summary.seconds_assisted.middle:.0f}",
            f"{summary.saved:.0%}",
            f"{summary.train_seconds.middle:.1f}",
        )
    return table


def _interval(value: Interval) -> str:
    middle = f"{value.middle:.2f}"
    return middle if value.low == value.high else f"{middle} ({value.low:.2f} to {value.high:.2f})"


def curves(summaries: Sequence[Summary]) -> Iterator[str]:
    """The median metric over the number of labelled tasks, one mark a strategy; the budgets are evenly spaced."""
    budgets = sorted({summary.budget for summary in summaries})
    strategies = list(dict.fromkeys(summary.strategy for summary in summaries))
    width = max(WIDTH // max(len(budgets), 1), 6)
    rows = [[" "] * (width * len(budgets)) for _ in range(HEIGHT + 1)]
    for summary in summaries:
        number = strategies.index(summary.strategy)
        row = HEIGHT - round(min(max(summary.metric.middle, 0.0), 1.0) * HEIGHT)
        # Side by side, so that equal values do not hide each other.
        column = budgets.index(summary.budget) * width + width // 2 + number % (width - width // 2)
        rows[row][column] = MARKS[number % len(MARKS)]
    yield f"{summaries[0].metric_name} (simulated) after so many labelled tasks"
    for at, drawn in enumerate(rows):
        value = f"{1 - at / HEIGHT:4.2f}" if at % 3 == 0 else " " * 4
        yield f"{value} ┤{''.join(drawn).rstrip()}"
    yield "     └" + "".join("─" * (width // 2) + "┬" + "─" * (width - width // 2 - 1) for _ in budgets)
    yield "      " + "".join(str(budget).center(width) for budget in budgets).rstrip()
    yield "      " + "   ".join(f"{MARKS[number % len(MARKS)]} {name}" for number, name in enumerate(strategies))
