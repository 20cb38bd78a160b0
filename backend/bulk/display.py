"""What `prelabel predict` shows while it works: bars on the standard error, so that its output stays clean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from backend.bulk.folder import FolderPredictions
from backend.jobs.view import JobState, JobView

SHOWN = 10
"""Files without prediction that are named; the others are counted."""


class JobBar:
    """A bar for one background job; where nobody looks at a terminal, one line for each stage."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console)
        self._task = self._progress.add_task("Waiting", total=1.0)
        self._last = ""

    def __enter__(self) -> JobBar:
        if self._progress.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress.console.is_terminal:
            self._progress.stop()

    def __call__(self, view: JobView) -> None:
        text = _described(view)
        self._progress.update(self._task, description=text, completed=view.fraction or 0.0)
        stage = f"{view.state.value} {view.stage}"
        if not self._progress.console.is_terminal and stage != self._last:
            self._progress.console.print(text, highlight=False, markup=False)
        self._last = stage


class Step(Protocol):
    """Told how many are done, of how many."""

    def __call__(self, done: int, total: int) -> None: ...


@contextmanager
def file_bar(console: Console) -> Iterator[Step]:
    """A bar for files, drawn on terminals only."""
    columns = (TextColumn("Predicting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def step(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield step


def name_problems(predictions: FolderPredictions, console: Console) -> None:
    """Say which files have no whole prediction, and why."""
    for name, reason in list(predictions.problems.items())[:SHOWN]:
        console.print(f"{name}: {reason}", style="red", markup=False, highlight=False)
    if len(predictions.problems) > SHOWN:
        console.print(f"and {len(predictions.problems) - SHOWN} more.", style="red")


def _described(view: JobView) -> str:
    if view.state is JobState.QUEUED:
        return f"{view.id} waits for a worker (`prelabel up` and `prelabel worker` are some)."
    if view.state is JobState.RETRYING:
        return f"{view.id} failed and is tried again: {view.error}"
    return view.message or f"{view.id} is {view.state.value}."
