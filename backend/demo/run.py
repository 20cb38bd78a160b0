"""`make run`: Prelabel and a Label Studio of its own, with sample projects that are connected already.

Everything it writes lies in one folder, so that a second run goes on where the first stopped.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from backend.demo.label_studio import (
    LabelStudioProcess,
    LabelStudioSettings,
    free_port,
    start_label_studio,
)
from backend.demo.projects import SampleProject, sample_projects
from backend.errors import LabelStudioError, PrelabelError, SettingsError
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connect import connect_projects
from backend.labelstudio.connection import Connection
from backend.labelstudio.reachability import OwnServer
from backend.serve import listen
from backend.settings import Settings
from backend.supervisor import Child, Forked, Process, Supervisor, everything

SERVER_TIMEOUT = 60.0
USUAL_PORT = 8080
DATA = Path(".data")


def main(
    label_studio_python: Annotated[Path, typer.Option(help="Interpreter of an environment that has Label Studio.")],
    label_studio_port: Annotated[
        int, typer.Option(help="Port of that Label Studio; another if it is taken.")
    ] = USUAL_PORT,
) -> None:
    """Run the demo until Ctrl-C."""
    try:
        run_demo(label_studio_python, label_studio_port)
    except PrelabelError as error:
        typer.echo(f"make run: {error}", err=True)
        raise typer.Exit(2 if isinstance(error, SettingsError) else 1) from None


def run_demo(label_studio_python: Path, label_studio_port: int) -> None:
    """Start everything, connect the sample projects, and keep it running. Raises `PrelabelError` when it cannot."""
    settings = demo_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with listen(settings) as listening:
        children, settings = everything(settings, listening)
        supervisor = Supervisor(children)
        studio = None
        if settings.label_studio_url is None:
            typer.echo("Starting Label Studio; the first time it makes its database, which takes up to a minute.")
            studio = OwnLabelStudio(label_studio_python, settings, label_studio_port, supervisor.check)
            children.append(Child("Label Studio", studio.start, grace=15.0))
        children.append(Child("setup", lambda: Forked("prelabel-setup", lambda: set_up(settings, studio)), once=True))
        supervisor.run()
    typer.echo("Everything is stopped. The next `make run` goes on from here.")


def demo_settings() -> Settings:
    """The environment's settings, with the demo's own folder and a quiet log where nothing else is said."""
    settings = Settings.load()
    given: dict[str, Any] = {}
    if "data_dir" not in settings.model_fields_set:
        given["data_dir"] = DATA.absolute() / "prelabel"
    if "log_level" not in settings.model_fields_set:
        given["log_level"] = "WARNING"
    if (settings.label_studio_url is None) != (settings.label_studio_api_key is None):
        raise SettingsError(
            "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY: got one of the two, expected both (to use that Label Studio) "
            "or neither (to start one)."
        )
    return settings.model_copy(update=given)


class OwnLabelStudio:
    """The Label Studio of the demo, as a child of the supervisor."""

    def __init__(self, python: Path, settings: Settings, port: int, waiting: Callable[[], None]) -> None:
        self._python = python.absolute()
        self._folder = settings.data_dir.parent / "label-studio"
        self._port = port
        self._waiting = waiting
        self._running: LabelStudioProcess | None = None

    def start(self) -> Process:
        """Start it on its port, or on another one if that is taken."""
        self._port = self._running.port if self._running else _usable(self._port)
        settings = LabelStudioSettings(python=self._python, data_dir=self._folder, port=self._port)
        self._running = start_label_studio(settings, waiting=self._waiting)
        return _Supervised(self._running)

    @property
    def running(self) -> LabelStudioProcess:
        if self._running is None:
            raise LabelStudioError("Label Studio was not started yet.")
        return self._running


class _Supervised:
    """A Label Studio as the supervisor sees a process."""

    def __init__(self, studio: LabelStudioProcess) -> None:
        self._studio = studio

    def poll(self) -> int | None:
        return None if self._studio.running else 1

    def terminate(self) -> None:
        self._studio.stop()

    def kill(self) -> None:
        self._studio.stop()

    def wait(self, timeout: float | None = None) -> int:
        self._studio.stop()
        return 0


def set_up(settings: Settings, studio: OwnLabelStudio | None) -> None:
    """Make the sample projects and connect them; then say where everything is."""
    if studio is not None:
        process = studio.running
        key = SecretStr(process.personal_token())
        settings = settings.model_copy(update={"label_studio_url": process.url, "label_studio_api_key": key})
    assert settings.label_studio_url is not None  # noqa: S101 demo_settings or the lines above set both
    assert settings.label_studio_api_key is not None  # noqa: S101
    await_server(settings)
    connection = Connection(settings.label_studio_url, settings.label_studio_api_key.get_secret_value())
    with LabelStudio(connection) as client:
        projects = sample_projects(client, settings.data_dir)
    failed = [hop for hop in connect_projects(settings, [project.id for project in projects]) if not hop.ok]
    for hop in failed:
        typer.echo(f"Not connected, {hop.name}: {hop.message}", err=True)
    _say_where(settings, studio.running if studio else None, projects)


def await_server(settings: Settings) -> None:
    """Wait until the server answers. Raises `PrelabelError`."""
    deadline = time.monotonic() + SERVER_TIMEOUT
    while OwnServer.find(settings) is None:
        if time.monotonic() > deadline:
            raise PrelabelError(f"The server did not answer at {settings.own_address} within {SERVER_TIMEOUT:g} s.")
        time.sleep(0.2)


def _say_where(settings: Settings, studio: LabelStudioProcess | None, projects: list[SampleProject]) -> None:
    url = settings.label_studio_url
    lines = [f"Label Studio   {url}"]
    if studio is not None:
        lines.append(f"  log in as    {studio.settings.username}   password {studio.settings.password}")
    lines += [f"  {project.title:<20} {url}/projects/{project.id}/data" for project in projects]
    lines += [f"Prelabel       {settings.own_address}", "Ctrl-C stops everything."]
    typer.echo("\n" + "\n".join(lines) + "\n")


def _usable(port: int) -> int:
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    return free_port() if taken else port


if __name__ == "__main__":
    typer.run(main)
