"""The commands about versions, snapshots and exports."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from backend.errors import StoreError
from backend.terminal import AsJson, DataDir, configure, sentences, with_redis

Project = Annotated[int, typer.Option(help="Id of the project in Label Studio.")]
Snapshot = Annotated[str, typer.Argument(help="A version such as v3, a snapshot's id, or head.", show_default=False)]
Version = Annotated[str | None, typer.Argument(help="A version such as v3.", show_default=False)]


def add_commands(app: typer.Typer) -> None:
    """Give the program these commands."""
    for command in (versions, promote, rollback, pin, unpin, export):
        app.command()(command)
    data = typer.Typer(help="What versions learnt from: compare, export.", no_args_is_help=True)
    data.command("diff")(snapshot_diff)
    data.command("export")(snapshot_export)
    app.add_typer(data, name="snapshot")


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


def snapshot_diff(
    old: Snapshot, new: Snapshot, project: Project, as_json: AsJson = False, data_dir: DataDir = None
) -> None:
    """What people changed between two snapshots."""
    with sentences():
        settings = configure(data_dir=data_dir)
        from backend.lifecycle.snapshots import compare, describe, open_data

        rows = compare(open_data(settings, project), old, new)
        if as_json:
            typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        else:
            typer.echo("\n".join(describe(rows)))


def snapshot_export(
    snapshot: Snapshot,
    project: Project,
    output: Annotated[Path, typer.Option(help="Folder to write into; it is made, or must be empty.")],
    format_name: Annotated[
        str, typer.Option("--format", help="manifest (SageMaker Ground Truth's), json, coco, yolo, conll or csv.")
    ] = "manifest",
    data_dir: DataDir = None,
) -> None:
    """Write what a version learnt from as a data set."""
    with sentences():
        settings = configure(data_dir=data_dir)
        from backend.lifecycle.snapshots import export, open_data

        count = export(open_data(settings, project), snapshot, format_name, output)
        typer.echo(f"{count} tasks: {output}")


def export(
    project: Project,
    output: Annotated[Path, typer.Option(help="Folder to write into; it is made, or must be empty.")],
    version: Annotated[str, typer.Argument(help="A version such as v3.")] = "current",
    form: Annotated[str, typer.Option(help="pytorch, onnx or openvino.")] = "pytorch",
    data_dir: DataDir = None,
) -> None:
    """Write a version's models with a file that loads them without Prelabel."""
    with sentences():
        settings = configure(data_dir=data_dir)
        from backend.lifecycle.models import LOADER, export_models
        from model_zoo.errors import ZooError

        try:
            exported = export_models(settings, project, version, form, output)
        except ZooError as error:
            raise StoreError(str(error)) from None
        for control, folder in exported.folders.items():
            typer.echo(f"{exported.version}, {control}: python {folder / LOADER} INPUT")
        for problem in exported.problems.values():
            typer.echo(problem, err=True)
        if not exported.folders:
            raise typer.Exit(1)
