"""The command `prelabel`. Every option is also a setting; an option given here comes before the environment."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated

import typer

from backend.errors import InvalidRequest
from backend.lifecycle.commands import add_commands
from backend.settings import Settings
from backend.terminal import AsJson, DataDir, configure, sentences, with_redis

app = typer.Typer(
    name="prelabel",
    help="A machine-learning backend for Label Studio that learns a project while people label it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # it prints local variables, tokens among them
)

Port = Annotated[int | None, typer.Option(help="Port to listen on.", show_default="9090")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Servers = Annotated[int | None, typer.Option(help="Server processes.", show_default="1")]
LabelledPath = Annotated[Path, typer.Argument(help="Folder or file of a labelled set.", show_default=False)]
FormatName = Annotated[
    str,
    typer.Option(
        "--format",
        help="imagefolder, csv, voc, coco, yolo, masks, keypoints-csv, conll, crowd or mot.",
        show_default=False,
    ),
]
TaskKind = Annotated[str | None, typer.Option(help="What to read where a format has several: segmentation of coco.")]
MaskValues = Annotated[str, typer.Option(help="What the numbers in masks are: instance or class.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Take so many tasks alone, drawn at random.")]


@app.command()
def up(host: Host = None, port: Port = None, data_dir: DataDir = None, servers: Servers = None) -> None:
    """Run everything: Redis, the server and a worker. Ctrl-C stops them all."""
    with sentences():
        settings = configure(host=host, port=port, data_dir=data_dir, servers=servers)
        from backend.serve import listen
        from backend.supervisor import Supervisor, everything

        with listen(settings) as listening:
            children, settings = everything(settings, listening)
            Supervisor(children).run(lambda: _announce(settings))


def _announce(settings: Settings) -> None:
    typer.echo(f"Prelabel listens on http://{settings.host}:{settings.port} and keeps its data in {settings.data_dir}.")
    typer.echo("Connect a project: prelabel connect --project ID --label-studio-url URL --api-key TOKEN")
    typer.echo("Ctrl-C stops everything.")


@app.command()
def serve(host: Host = None, port: Port = None, data_dir: DataDir = None, servers: Servers = None) -> None:
    """Run the HTTP server alone, for a Redis and workers that run elsewhere."""
    with sentences():
        settings = with_redis(configure(host=host, port=port, data_dir=data_dir, servers=servers))
        from backend.serve import listen, run_server
        from backend.supervisor import Supervisor, server_children

        with listen(settings) as listening:
            if settings.servers == 1:
                run_server(settings, listening)
            else:
                Supervisor(server_children(settings, listening)).run()


@app.command()
def worker(
    data_dir: DataDir = None,
    name: Annotated[
        str | None,
        typer.Option(help="A name that stays the same after a restart, unique among workers.", show_default="HOST-PID"),
    ] = None,
) -> None:
    """Run background work: training, and writing predictions."""
    with sentences():
        settings = with_redis(configure(data_dir=data_dir))
        from backend.worker import run_worker

        run_worker(settings, name=name)


@app.command()
def connect(
    project: Annotated[list[int], typer.Option(help="Id of a project in Label Studio; may be given several times.")],
    label_studio_url: Annotated[
        str | None, typer.Option(help="Address of Label Studio.", show_default="LABEL_STUDIO_URL, or the last one")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            help="Personal access token or legacy token.", show_default="LABEL_STUDIO_API_KEY, or the last one"
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Address under which Label Studio reaches this backend.", show_default="own address"),
    ] = None,
    sampling: Annotated[
        bool, typer.Option("--sampling/--keep-sampling", help="Have people label the most useful tasks first.")
    ] = True,
    data_dir: DataDir = None,
) -> None:
    """Connect projects of a Label Studio to this backend, and check each step on the way. Safe to repeat."""
    with sentences():
        settings = configure(
            label_studio_url=label_studio_url, label_studio_api_key=api_key, public_url=url, data_dir=data_dir
        )
        from backend.labelstudio.connect import connect_projects

        hops = connect_projects(settings, project, sampling=sampling)
        for hop in hops:
            typer.echo(f"{'ok  ' if hop.ok else 'FAIL'} {hop.name}: {hop.message}")
        if not all(hop.ok for hop in hops):
            raise typer.Exit(1)


@app.command()
def predict(
    project: Annotated[
        int | None, typer.Option(help="Id of a project in Label Studio: all its tasks that are still to be labelled.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Look on until the project is done.")] = True,
    folder: Annotated[
        Path | None, typer.Option("--input", help="Folder with files to predict without Label Studio.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="File to write: tasks with predictions, as JSON.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Version for the files: v3, or 7/v3 for project 7; 7/current for its current one."),
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Put before each file's path, such as s3://photos/ or '/data/local-files/?d=photos/'.")
    ] = "",
    data_dir: DataDir = None,
) -> None:
    """Predict a whole project in the background, or a folder of files without Label Studio."""
    with sentences():
        settings = configure(data_dir=data_dir)
        if project is not None and (folder, output, model) == (None, None, None):
            _predict_project(with_redis(settings), project, wait)
        elif project is None and folder is not None and output is not None and model is not None:
            _predict_folder(settings, folder, output, model, prefix)
        else:
            raise InvalidRequest("Give either --project, or --input, --output and --model together.")


def _predict_project(settings: Settings, project: int, wait: bool) -> None:
    from rich.console import Console

    from backend.bulk.display import JobBar
    from backend.bulk.project import outcome, predict_project

    try:
        with JobBar(Console(stderr=True)) as bar:
            view = predict_project(settings, project, bar, wait=wait)
    except KeyboardInterrupt:
        typer.echo("The job goes on in the background; the same command looks on again.", err=True)
        raise typer.Exit(130) from None
    ended_well, sentence = outcome(settings, view)
    typer.echo(sentence)
    if not ended_well:
        raise typer.Exit(1)


def _predict_folder(settings: Settings, folder: Path, output: Path, model: str, prefix: str) -> None:
    from rich.console import Console

    from backend.bulk.display import file_bar, name_problems
    from backend.bulk.folder import FolderPredictor, check_writable, write

    console = Console(stderr=True)
    check_writable(output)
    # What goes wrong with a file is said once, at the end.
    logging.getLogger("backend.serving.predict").setLevel(logging.ERROR)
    predictor = FolderPredictor(settings, model)
    with file_bar(console) as step:
        predictions = predictor.predict(folder, prefix, step)
    write(output, predictions.tasks)
    name_problems(predictions, console)
    typer.echo(
        f"{predictions.predicted} of {len(predictions.tasks)} files predicted with {predictor.version.name}: {output}"
    )
    if not predictions.predicted:
        raise typer.Exit(1)


@app.command()
def simulate(
    path: LabelledPath,
    format_name: FormatName,
    task: TaskKind = None,
    model: Annotated[str | None, typer.Option(help="A family of `prelabel models`.", show_default="the usual")] = None,
    parameters: Annotated[
        str | None, typer.Option(help="""How to train, as a backend's extra params say it: '{"epochs": 40}'.""")
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="Which tasks come first: random, least_confidence, default, in_order; by commas.")
    ] = "random,least_confidence",
    budget: Annotated[str, typer.Option(help="Numbers of labelled tasks after which to train.")] = "5,10,20,50,100",
    seeds: Annotated[int, typer.Option(help="How often, each time with other tasks first and for testing.")] = 5,
    test_fraction: Annotated[float, typer.Option(help="Share of tasks that is for testing alone.")] = 0.3,
    limit: Limit = None,
    costs: Annotated[
        Path | None, typer.Option(help="JSON with seconds of accept, move, relabel, add and delete.")
    ] = None,
    mask_values: MaskValues = "instance",
    output: Annotated[Path | None, typer.Option("--json", help="File to write all runs to, as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Image to draw the curves into: .png, .svg or .pdf.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Replay a labelled set, and see what Prelabel would have learnt and saved."""
    with sentences():
        settings = configure(data_dir=data_dir)
        from backend.simulation.commands import Wishes, simulate_files

        wishes = Wishes(strategy, budget, seeds, test_fraction, model, costs, parameters)
        simulate_files(settings, path, format_name, task, mask_values, limit, wishes, output, plot)


@app.command("import")
def import_(
    path: LabelledPath,
    format_name: FormatName,
    project: Annotated[int, typer.Option(help="Id of a project in Label Studio.")],
    task: TaskKind = None,
    annotations: Annotated[bool, typer.Option("--annotations", help="Bring the annotations, too.")] = False,
    prefix: Annotated[
        str | None,
        typer.Option(help="Where Label Studio finds the images, such as s3://photos/; they are uploaded without it."),
    ] = None,
    limit: Limit = None,
    mask_values: MaskValues = "instance",
    data_dir: DataDir = None,
) -> None:
    """Make tasks of a labelled set in a project of Label Studio."""
    with sentences():
        settings = configure(data_dir=data_dir)
        from backend.simulation.commands import import_files

        made = import_files(settings, path, format_name, task, mask_values, limit, project, annotations, prefix)
        typer.echo(f"Project {project} has {made} more tasks.")


@app.command()
def status(
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every second, until Ctrl-C.")] = False,
    port: Port = None,
    url: Annotated[str | None, typer.Option()] = None,
) -> None:
    """What a running backend is doing: projects, versions, labels, jobs, errors."""
    with sentences():
        settings = configure(port=port, public_url=url)
        from backend.status_report import fetch_status, render_status, watch_status

        if watch and not as_json:
            with suppress(KeyboardInterrupt):
                watch_status(settings)
            return
        answer = fetch_status(settings)
        if as_json:
            typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
        else:
            render_status(answer)


@app.command()
def cancel(
    job: Annotated[str, typer.Argument(help="Its id, as `prelabel status --watch` shows it.")],
    port: Port = None,
    url: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Stop a job, running or not; what it has published stays."""
    with sentences():
        settings = configure(port=port, public_url=url)
        from backend.status_report import cancel_job

        typer.echo(f"{job}: {cancel_job(settings, job)['state']}")


@app.command()
def models(as_json: AsJson = False) -> None:
    """The model families there are: task, whether their weights are here, licence, size."""
    with sentences():
        settings = configure()
        from backend.status_report import family_rows, render_families

        rows = family_rows(settings)
        if as_json:
            typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        else:
            render_families(rows)


@app.command()
def config(
    name: Annotated[
        str | None, typer.Argument(help="Which one; all are listed without it.", show_default=False)
    ] = None,
) -> None:
    """A labelling config for interactive help, to be pasted into a project."""
    with sentences():
        from backend.interactive.ready import READY, ready

        if name is not None:
            typer.echo(ready(name).xml)
            return
        for known, one in READY.items():
            typer.echo(f"{known:<16} {one.purpose}")


@app.command()
def version() -> None:
    """The installed release."""
    try:
        typer.echo(f"prelabel {package_version('prelabel')}")
    except PackageNotFoundError:
        typer.echo("prelabel, not installed: running from a source tree")


add_commands(app)


def main() -> None:
    """The entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
