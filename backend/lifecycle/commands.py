"""The commands about versions, snapshots and exports."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Annotated

import typer

from backend.terminal import AsJson, DataDir, configure, sentences, with_redis

Project = Annotated[int, typer.Option(help="Id of the project in Label Studio.")]
Version = Annotated[str | None, typer.Argument(help="A version such as v3.", show_default=False)]


def add_commands(app: typer.Typer) -> None:
    """Give the program these commands."""
    for command in (versions, promote, rollback, pin, unpin):
        app.command()(command)


def versions(project: Project, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """A project's versions: what serves, what each was measured at and cost, and what the gate held back."""
    with sentences():
        settings = configure(data_dir=data_dir)
        from backend.lifecycle.versions import read_lineage, render_lineage

        found = read_lineage(settings, project)
        if as_json:
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            render_lineage(found)


def promote(project: Project, version: Version = None, data_dir: DataDir = None) -> None:
    """Make a version current; without one, the model that the gate held back last."""
    _move(project, "promote", version, data_dir)


def rollback(project: Project, version: Version = None, data_dir: DataDir = None) -> None:
    """Go back to an earlier version; without one, to the version before the current."""
    _move(project, "rollback", version, data_dir)


def pin(project: Project, version: Version = None, data_dir: DataDir = None) -> None:
    """Keep a version current, whatever is trained; without one, the current."""
    _move(project, "pin", version, data_dir)


def unpin(project: Project, data_dir: DataDir = None) -> None:
    """Let the next training become current again."""
    _move(project, "unpin", None, data_dir)


def _move(project: int, action: str, version: str | None, data_dir: DataDir) -> None:
    with sentences():
        settings = with_redis(configure(data_dir=data_dir))
        from backend.jobs.collaborators import build_collaborators
        from backend.jobs.steering import Steering, steer

        with closing(build_collaborators(settings)) as collaborators:
            uid = collaborators.records.newest(project).uid
            typer.echo(steer(Steering(collaborators, uid), action, version).message)
