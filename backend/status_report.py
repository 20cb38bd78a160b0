"""What `prelabel status` and `prelabel models` print."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import httpx
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from backend.errors import PrelabelError
from backend.settings import Settings

WATCHED_EVERY = 1.0
"""Seconds between two looks of `prelabel status --watch`."""
LOG_SHOWN = 3
"""Lines of a job's log that it shows."""


class NoAnswer(PrelabelError):
    """No backend where one was looked for, or one that refuses us."""


def fetch_status(settings: Settings) -> dict[str, Any]:
    """What the backend at the settings' own address answers to `GET /`. Raises `NoAnswer`."""
    return _ask(settings, "GET", "/")


def cancel_job(settings: Settings, identifier: str) -> dict[str, Any]:
    """Stop a job of that backend; what becomes of it. Raises `NoAnswer`."""
    return _ask(settings, "POST", f"/api/jobs/{quote(identifier, safe='')}/cancel")


def _ask(settings: Settings, method: str, path: str) -> dict[str, Any]:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 compared, not bound
    address = settings.public_url or f"http://{host}:{settings.port}"
    secret = settings.password.get_secret_value() if settings.password else ""
    auth = (settings.username, secret) if settings.username else None
    try:
        accepted = {"Accept": "application/json"}
        answer = httpx.request(method, f"{address.rstrip('/')}{path}", headers=accepted, auth=auth, timeout=10.0)
    except httpx.HTTPError as error:
        raise NoAnswer(
            f"No backend answers at {address} ({error}). Start one with `prelabel up`, or say where it is with --port."
        ) from None
    if answer.status_code == 401:
        raise NoAnswer(f"The backend at {address} wants a password: set PRELABEL_USERNAME and PRELABEL_PASSWORD.")
    if answer.status_code in (404, 410):
        raise NoAnswer(f"The backend at {address} has no such job; `prelabel status --json` names those that run.")
    if not answer.is_success:
        raise NoAnswer(f"The backend at {address} answered with HTTP {answer.status_code}, expected 200; see its log.")
    found: dict[str, Any] = answer.json()
    return found


def render_status(status: dict[str, Any], console: Console | None = None) -> None:
    """Print a table of the projects, and the last errors."""
    (console or Console()).print(_view(status))


def watch_status(settings: Settings, console: Console | None = None, looks: Callable[[int], bool] = bool) -> None:
    """Show the status anew every second until Ctrl-C; a backend that is away for a while is waited for.

    Raises `NoAnswer` when it does not answer the first look. `looks` is asked before each further one, with its number.
    """
    shown = _view(_with_logs(settings))
    number = 1
    with Live(shown, console=console or Console(), auto_refresh=False) as live:
        while looks(number):
            time.sleep(WATCHED_EVERY)
            try:
                shown = _view(_with_logs(settings))
                live.update(shown, refresh=True)
            except NoAnswer as error:
                live.update(Group(shown, Text(str(error), style="red")), refresh=True)
            number += 1


def _with_logs(settings: Settings) -> dict[str, Any]:
    """The status, with the last lines of what the jobs that run have logged. Raises `NoAnswer`."""
    status = fetch_status(settings)
    for job in (project["job"] for project in status["projects"]):
        if job is not None:
            with suppress(NoAnswer):  # it has ended meanwhile
                job["log"] = _ask(settings, "GET", f"/api/jobs/{quote(job['id'], safe='')}")["log"][-LOG_SHOWN:]
    return status


def _view(status: dict[str, Any]) -> Group:
    lines: list[RenderableType] = [
        Text(f"{status['title']} {status['release']} is {status['status']}."),
        Text(f"Label Studio: {status['label_studio'] or 'not connected yet'}"),
    ]
    if not status["queue"]:
        lines.append(Text("Redis is away: nothing is learnt until it is back.", style="red"))
    table = Table("project", "title", "version", "labelled", "accuracy", "job", title="Projects")
    for project in status["projects"]:
        total = project["total"]
        table.add_row(
            str(project["id"]),
            escape(project["title"]),
            project["version"] + (" (pinned)" if project["pinned"] else ""),
            f"{project['labelled']} of {total}" if total is not None else str(project["labelled"]),
            "" if project["accuracy"] is None else f"{project['accuracy']:.1%}",
            _job(project["job"]),
        )
    lines.append(table if status["projects"] else Text("No projects yet: prelabel connect --project ID"))
    for project in status["projects"]:
        lines += [Text(f"{project['id']}: {words}") for words in project["words"]]
        lines += [
            Text(f"{project['id']}: {control['name']} {words}")
            for control in project["controls"]
            for words in control["words"]
        ]
        if project["job"] is not None and "log" in project["job"]:
            lines += [Text(f"{project['id']}: {line}", style="dim") for line in project["job"]["log"]]
            lines.append(Text(f"{project['id']}: stop it with: prelabel cancel {project['job']['id']}", style="dim"))
    errors = (*status["errors"], *(error for project in status["projects"] for error in project["errors"]))
    return Group(*lines, *(Text(error["message"], style="red") for error in errors))


def _job(job: dict[str, Any] | None) -> str:
    if job is None:
        return ""
    parts = [job["kind"], job["state"], job["stage"] or ""]
    if job["epoch"] is not None:
        parts.append(f"epoch {job['epoch']} of {job['epochs']}")
    parts += [f"{name} {value:.3g}" for name, value in job["metrics"].items()]
    if job["fraction"] is not None:
        parts.append(f"{job['fraction']:.0%}")
    if job["eta"] is not None:
        parts.append(f"{job['eta']:.0f} s left")
    return " ".join(part for part in parts if part)


def family_rows(settings: Settings) -> list[dict[str, Any]]:
    """The families of the zoo as JSON objects."""
    from model_zoo.outside import outside_families
    from model_zoo.registry import describe

    return [asdict(card) for card in describe(settings.weights_dir, outside_families(settings.families))]


def render_families(rows: list[dict[str, Any]], console: Console | None = None) -> None:
    """Print three lines a family: a table of them is too wide for a terminal."""
    console = console or Console()
    for row in rows:
        found = row["found"] or "not found here; the hub is asked, else training starts from random numbers"
        console.print(row["name"], style="bold", highlight=False)
        console.print(f"  weights: {found}, {row['size'] / 1e6:.0f} MB", highlight=False)
        console.print(f"  licence: {row['licence']}", highlight=False)
