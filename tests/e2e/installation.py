"""`prelabel up` as an operator runs it, seen from outside alone: its commands, its HTTP, and what it leaves on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from backend.projects.identity import Uid
from backend.settings import Settings
from backend.store.ledger import Judged, Ledger
from backend.store.objects import ObjectStore
from tests.e2e.backend_process import ROOT
from tests.label_studio import LabelStudioInstance, TestProject
from tests.processes import Seen, eventually, free_port, stop

WEIGHTS = os.environ.get("PRELABEL_WEIGHTS_DIR")
"""Pretrained weights of whoever runs the tests: more is promised with them."""
START = 90.0
LEARN = 90.0
"""Seconds from the last submitted annotation to the version that knows it; far more than two quiet cores need."""


class Installation:
    """One data folder and one port. `settings` are what the operator has in the environment, beside those two."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.given = settings
        auth = (
            (settings["PRELABEL_USERNAME"], settings["PRELABEL_PASSWORD"]) if "PRELABEL_USERNAME" in settings else None
        )
        self.client = httpx.Client(base_url=self.url, auth=auth, timeout=30.0)
        self._log = data_dir / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> Settings:
        """What its processes read."""
        return Settings.from_environment(self._environment())

    def start(self) -> None:
        """Start it and wait until it answers; its log goes to a file that failing tests show."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("up"), env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        eventually(self._answers, "`prelabel up` to answer /health", START)

    def stop(self) -> None:
        """End it with all its children."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def close(self) -> None:
        self.stop()
        self.client.close()

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """One `prelabel` command to its end, in the same environment with `settings` beside it."""
        return subprocess.run(
            self._command(*arguments),
            env=self._environment() | settings,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def connect(self, studio: LabelStudioInstance, *projects: TestProject) -> None:
        """Connect projects with the command; it must find nothing wrong."""
        options = [option for project in projects for option in ("--project", str(project.id))]
        where = ("--label-studio-url", studio.url, "--api-key", studio.api_key)
        done = self.run("connect", *options, *where)
        assert done.returncode == 0, done.stdout + done.stderr

    def post(self, path: str, body: Any) -> Any:
        """The JSON that it answers; an error answer is an error."""
        answer = self.client.post(path, json=body)
        assert answer.is_success, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def predict(self, project: TestProject, tasks: list[dict[str, Any]]) -> dict[str, Any]:
        """One `/predict` as Label Studio sends it."""
        config = project.get()["label_config"]
        return dict(self.post("/predict", {"tasks": tasks, "project": uid_of(project), "label_config": config}))

    def status(self, project: TestProject) -> dict[str, Any]:
        """What `GET /` says about the project; empty before it is known."""
        everything = self.client.get("/", headers={"Accept": "application/json"}).raise_for_status().json()
        return next((one for one in everything["projects"] if one["id"] == project.id), {})

    def await_version(self, project: TestProject, labels: int, seconds: float = LEARN) -> str:
        """Wait until the version that serves has learnt from so many answers to each control, and until the project
        shows it; the version's name. Its predictions for tasks that are far away may still be on their way."""

        def learnt() -> str | None:
            seen = self.status(project)
            counts = {int(control["labels"]) for control in seen.get("controls", ())}
            return seen["version"] if counts == {labels} and project.get()["model_version"] == seen["version"] else None

        return str(self.wait(project, learnt, f"a version that knows {labels} labels", seconds))

    def await_rest(self, project: TestProject) -> None:
        """Wait until nothing is queued or running for the project."""
        calm = 0

        def rests() -> bool:
            nonlocal calm
            # Thrice in a row: a job that moves from one of the queue's lists to the next is in neither for a moment.
            calm = calm + 1 if self.status(project).get("job", "") is None else 0
            return calm == 3

        self.wait(project, rests, "the end of all background work")

    def await_stored(self, project: TestProject, tasks: list[int], version: str) -> dict[int, list[str]]:
        """Wait until each of `tasks` has one stored prediction of `version`; the choices by task."""
        found: dict[int, list[tuple[str, list[str]]]] = {}

        def stored() -> bool:
            found.update((task, shown(project, task)) for task in tasks)
            return all([name for name, _ in rows].count(version) == 1 for rows in found.values())

        try:
            self.wait(project, stored, f"predictions of {version} for tasks {tasks}")
        except AssertionError as waited:
            raise AssertionError(f"Stored are {found}. {waited}") from None
        return {task: dict(rows)[version] for task, rows in found.items()}

    def wait(self, project: TestProject, look: Callable[[], Seen], what: str, seconds: float = LEARN) -> Seen:
        """The first true answer of `look`; what the installation says where there is none."""
        try:
            return eventually(look, what, seconds, every=0.2)
        except AssertionError as waited:
            raise AssertionError(f"{waited}. It says {self.status(project)}. Its log:\n{self.log()[-3000:]}") from None

    def judgements(self, project: TestProject) -> list[Judged]:
        """What the ledger says became of predictions."""
        return Ledger(ObjectStore(self.settings.store_address)).judgements(uid_of(project))

    def _answers(self) -> bool:
        with suppress(httpx.TransportError):
            return self.client.get("/health", timeout=5.0).status_code == 200
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        return False

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "backend.cli", *arguments]

    def _environment(self) -> dict[str, str]:
        """Nothing of what the person who runs the tests has set for a Prelabel of their own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PRELABEL_", "LABEL_STUDIO"))}
        own = {"PRELABEL_DATA_DIR": str(self.data_dir), "PRELABEL_PORT": str(self.port), "PYTHONPATH": str(ROOT)}
        own["PRELABEL_REFRESH_QUIET"] = "0.2"  # as people see it, but for the wait
        return kept | own | {"OMP_NUM_THREADS": "1", "COLUMNS": "500"} | self.given


def uid_of(project: TestProject) -> str:
    return str(Uid.from_project(project.id, project.created["created_at"]))


def shown(project: TestProject, task: int) -> list[tuple[str, list[str]]]:
    """The stored predictions of a task: version and choices of each, oldest first."""
    return [(row["model_version"], choices(row["result"])) for row in project.predictions(task)]


def choices(result: list[dict[str, Any]]) -> list[str]:
    """The choices in regions, sorted; none in those of other controls."""
    return sorted(choice for region in result for choice in region["value"].get("choices", ()))
