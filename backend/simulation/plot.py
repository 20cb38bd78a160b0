"""The learning curves as an image: quality, what was right as it was shown, and the annotator's time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.errors import InvalidRequest
from backend.simulation.report import Interval, Report, Summary, spread, summarise

MISSING = (
    "--plot: matplotlib is not installed. Install the extra with `pip install 'prelabel[plot]'`, or leave --plot out: "
    "the curves are drawn in the terminal, too."
)


def check_plot(path: Path) -> None:
    """Raises `InvalidRequest` where `draw` would: better before an hour's work than after it."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise InvalidRequest(MISSING) from None
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InvalidRequest(f"--plot: got {path.name}, wanted a name that ends in .png, .svg or .pdf.")


def draw(report: Report, path: Path) -> None:
    """Write the plot. Bands are the intervals over the seeds."""
    from matplotlib.figure import Figure  # without pyplot: no window system, no global state

    summaries = summarise(report.runs)
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    quality, shown, time = figure.subplots(1, 3)
    by_hand: list[tuple[tuple[int, float], ...]] = []
    colours = [f"C{number}" for number in range(10)]
    for number, strategy in enumerate(dict.fromkeys(summary.strategy for summary in summaries)):
        own = [summary for summary in summaries if summary.strategy == strategy]
        colour = colours[number % 10]
        _band(quality, own, [summary.metric for summary in own], colour, strategy)
        _band(shown, own, [summary.step_label_efficiency for summary in own], colour, strategy)
        _band(time, own, [summary.seconds_assisted for summary in own], colour, f"{strategy}, with pre-labels")
        manual = tuple((summary.budget, summary.seconds_manual.middle) for summary in own)
        if manual not in by_hand:  # the same for all strategies where each task takes as long
            by_hand.append(manual)
            time.plot(*zip(*manual, strict=True), ":", color="grey", label=f"{strategy}, by hand")
    for axes, title, label in (
        (quality, "Quality on tasks never seen", summaries[0].metric_name),
        (shown, "Pre-labels that needed no action", "share of final labels in the last step"),
        (time, "The annotator's time", "seconds, at assumed costs"),
    ):
        axes.set(title=title, xlabel="labelled tasks", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    for axes in (quality, shown):
        axes.set_ylim(-0.02, 1.02)
    time.set_ylim(bottom=0)
    seeds = summaries[0].seeds
    bands = f"; bands: {spread(seeds)}" if seeds > 1 else ""
    figure.suptitle(f"{report.dataset} ({report.task}), simulated, {seeds} seed{'s' * (seeds > 1)}{bands}")
    figure.savefig(path, dpi=120)


def _band(axes: Any, own: list[Summary], values: list[Interval], colour: str, label: str) -> None:
    budgets = [summary.budget for summary in own]
    axes.plot(budgets, [value.middle for value in values], "o-", color=colour, label=label, markersize=4)
    lows, highs = [value.low for value in values], [value.high for value in values]
    axes.fill_between(budgets, lows, highs, color=colour, alpha=0.15, linewidth=0)
