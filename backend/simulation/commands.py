"""What `prelabel simulate` and `prelabel import` do, given their options."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from backend.errors import InvalidRequest, LabelStudioError
from backend.jobs.recipe import read_parameters
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import recall
from backend.settings import Settings
from backend.simulation.costs import default_costs, read_costs
from backend.simulation.display import describe_set, show_report
from backend.simulation.importing import import_set
from backend.simulation.labelled import Kind, LabelledSet
from backend.simulation.loop import Plan, simulate
from backend.simulation.plot import check_plot, draw
from backend.simulation.readers import MaskValues, read_set
from backend.simulation.report import Report, Run
from backend.simulation.strategies import read_strategies

NARROWEST = 110
"""Characters of a line where nobody says how many there may be: what the table takes."""


def read_budgets(text: str) -> tuple[int, ...]:
    """Numbers in a list by commas. Raises `InvalidRequest`."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidRequest(f"--budget: got {text!r}, wanted numbers of tasks such as 5,10,20.") from None


def read_mask_values(text: str) -> MaskValues:
    """Raises `InvalidRequest`."""
    try:
        return MaskValues(text)
    except ValueError:
        raise InvalidRequest(f"--mask-values: got {text!r}, wanted instance or class.") from None


def run_simulation(settings: Settings, found: LabelledSet, report: Report, plan: Plan, console: Console) -> Report:
    """The report with all runs. Interrupted, it has those that were finished."""
    # Each training and each task would say something, over and over.
    for name in ("backend.jobs", "backend.serving", "backend.converters"):
        logging.getLogger(name).setLevel(logging.ERROR)
    runs: list[Run] = []
    notes: dict[str, None] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("Simulating", total=1.0)
        try:
            for run in simulate(
                settings, found, plan, lambda what, share: progress.update(bar, description=what, completed=share)
            ):
                runs.append(run)
                notes |= dict.fromkeys(run.notes)
        except KeyboardInterrupt:
            if not runs:
                raise
            console.print("Interrupted: what follows is what was finished.", style="red")
    for note in notes:
        console.print(note, style="yellow", markup=False, highlight=False)
    return replace(report, runs=runs)


@dataclass(frozen=True)
class Wishes:
    """The options of a simulation as they were given."""

    strategies: str
    budgets: str
    seeds: int
    test_fraction: float
    model: str | None = None
    costs: Path | None = None
    parameters: str | None = None

    def plan(self, kind: Kind) -> Plan:
        """Raises `InvalidRequest`."""
        costs = read_costs(self.costs, kind) if self.costs else default_costs(kind)
        dealings = tuple(read_strategies(self.strategies))
        parameters = read_parameters(self.parameters)
        budgets = read_budgets(self.budgets)
        return Plan(dealings, budgets, self.seeds, self.test_fraction, costs, self.model, parameters)


def simulate_files(
    settings: Settings,
    path: Path,
    format_name: str,
    task: str | None,
    mask_values: str,
    limit: int | None,
    wishes: Wishes,
    output: Path | None = None,
    plot: Path | None = None,
) -> Report:
    """Read, simulate, show, and write what was asked for. Raises `InvalidRequest`, if it can before any long work."""
    console = Console(stderr=True)
    read_strategies(wishes.strategies)
    if plot is not None:
        check_plot(plot)
    for file in (output, plot):
        _check_folder(file)
    found = read_set(path, format_name, task, read_mask_values(mask_values))
    describe_set(found, console)
    plan = wishes.plan(found.kind)
    empty = Report(path.resolve().name, format_name, found.kind.value, plan.costs, ())
    report = run_simulation(settings, found.drawn(limit), empty, plan, console)
    terminal = Console()
    show_report(report, terminal if terminal.is_terminal else Console(width=max(terminal.width, NARROWEST)))
    if output is not None:
        output.write_text(report.to_text(), encoding="utf-8")
    if plot is not None:
        draw(report, plot)
    return report


def import_files(
    settings: Settings,
    path: Path,
    format_name: str,
    task: str | None,
    mask_values: str,
    limit: int | None,
    project: int,
    annotations: bool,
    prefix: str | None,
) -> int:
    """Make the tasks of a set in a project; how many. Raises `InvalidRequest`, `LabelStudioError`."""
    connection = recall(settings)
    if connection is None:
        raise LabelStudioError(
            "No Label Studio is connected. Run `prelabel connect --project ID --label-studio-url URL --api-key KEY`, "
            "or set LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
        )
    console = Console(stderr=True)
    found = read_set(path, format_name, task, read_mask_values(mask_values))
    describe_set(found, console)
    columns = (TextColumn("Uploading"), BarColumn(), TimeRemainingColumn())
    with LabelStudio(connection) as client, Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        upload = bar.add_task("", total=None)
        return import_set(
            client,
            project,
            found.drawn(limit),
            annotations=annotations,
            prefix=prefix,
            step=lambda done, total: bar.update(upload, completed=done, total=total),
        )


def _check_folder(file: Path | None) -> None:
    if file is not None and not file.absolute().parent.is_dir():
        raise InvalidRequest(f"{file} cannot be written: there is no folder {file.absolute().parent}.")
