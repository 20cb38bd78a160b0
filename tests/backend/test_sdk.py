"""The backend inside `label-studio-ml` 1.0.9, served by that package's own command, beside ours on the same store."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from starlette.testclient import TestClient

from backend.app import create_app
from backend.embedded_redis import EmbeddedRedis
from backend.jobs.marks import DUE
from backend.jobs.queue import job_id
from backend.jobs.view import JobKind
from backend.projects.identity import Uid
from backend.settings import Settings

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv-label-studio-ml"
CREATED = 1795149789
CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text" model_score_threshold="0">
    <Choice value="Sport" hint="football, tennis, matches and athletes"/>
    <Choice value="Cooking" hint="recipes, food, kitchens and meals"/>
  </Choices>
</View>"""
TEXTS = ("The striker scored twice in the football match.", "Simmer the onions, then add the stock.", "", None)


def uid(project: int) -> Uid:
    return Uid(f"{project}.{CREATED}")


def tasks_of(project: int) -> list[dict[str, Any]]:
    return [{"id": number, "project": project, "data": {"text": text}} for number, text in enumerate(TEXTS, start=1)]


def as_in_webhooks(project: int) -> dict[str, Any]:
    created = datetime.fromtimestamp(CREATED, timezone.utc).isoformat()
    return {"id": project, "created_at": created, "title": "News", "label_config": CONFIG}


def setup_of(project: int) -> dict[str, Any]:
    return {"project": uid(project), "schema": CONFIG, "hostname": "", "access_token": ""}


@dataclass(frozen=True)
class PackageServer:
    """`label-studio-ml start`, and what it was started with."""

    url: str
    settings: Settings

    def post(self, path: str, **body: Any) -> Any:
        answer = httpx.post(f"{self.url}{path}", json=body, timeout=60)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def package_server(tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis) -> Iterator[PackageServer]:
    """One for all tests here, each of which has a project of its own."""
    tmp_path = tmp_path_factory.mktemp("label-studio-ml")
    # Compiled in one server and not yet in the other, a model answers a little differently.
    settings = Settings(data_dir=tmp_path / "data", redis_url=redis_server.url, compiled=False)
    command = [str(ENVIRONMENT / "bin" / "label-studio-ml")]
    environment = child_environment(settings)
    created = ["init", "news", "--root-dir", str(tmp_path), "--script", f"{ROOT / 'backend/sdk.py'}:PrelabelModel"]
    subprocess.run([*command, *created], env=environment, check=True, capture_output=True)
    port = free_port()
    started = ["start", "news", "--root-dir", str(tmp_path), "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "server.log").open("wb") as log:
        # A session of its own: the command starts a shell, which starts Python, and all of them must end.
        process = subprocess.Popen(
            [*command, *started], env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, tmp_path / "server.log")
            yield PackageServer(f"http://127.0.0.1:{port}", settings)
        finally:
            with suppress(ProcessLookupError):  # it ended by itself, and the test said so
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_the_same_predictions_as_our_own_server(package_server: PackageServer) -> None:
    body = {"tasks": tasks_of(7), "project": uid(7), "label_config": CONFIG, "params": {"login": "", "context": None}}
    with TestClient(create_app(package_server.settings)) as ours:
        ours.post("/setup", json=setup_of(7))
        expected = ours.post("/predict", json=body).json()["results"]
    package_server.post("/setup", **setup_of(7))
    answered = package_server.post("/predict", **body)["results"]
    assert rounded(answered) == rounded(expected)
    shown = [entry["result"][0]["value"]["choices"] for entry in expected[:2]]
    assert shown == [["Sport"], ["Cooking"]]
    assert [entry["result"] for entry in expected[2:]] == [[], []]


def rounded(value: Any) -> Any:
    """Numbers to three digits: with another number of threads, sums are rounded at other places."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def test_no_tasks_and_unknown_projects_are_answered(package_server: PackageServer) -> None:
    package_server.post("/setup", **setup_of(8))
    assert package_server.post("/predict", tasks=[], project=uid(8), label_config=CONFIG)["results"] == []
    answer = package_server.post("/predict", tasks=tasks_of(8)[:2], project=uid(8), label_config=CONFIG)
    assert answer["results"] == [{"result": [], "score": 1.0, "model_version": "v0"}] * 2


def test_an_event_reaches_the_queue(package_server: PackageServer, redis_connection: redis.Redis) -> None:
    package_server.post("/setup", **setup_of(9))
    body = {"action": "ANNOTATION_CREATED", "project": as_in_webhooks(9), "annotation": {"id": 1}, "task": {"id": 1}}
    assert package_server.post("/webhook", **body)["job_id"]
    deadline = time.monotonic() + 60
    while not is_due(redis_connection, uid(9)):
        assert time.monotonic() < deadline, "the event was not noted within a minute"
        time.sleep(0.1)


def test_the_signature_of_2_x(tmp_path: Path, redis_url: str) -> None:
    """2.x is not on PyPI: the class is made and called as its server does, on 1.0.9's base."""
    settings = Settings(data_dir=tmp_path, redis_url=redis_url)
    with TestClient(create_app(settings)) as ours:
        ours.post("/setup", json=setup_of(7))
    program = """
        import json, sys
        from backend.sdk import PrelabelModel

        project, tasks = json.loads(sys.argv[1])

        class Model(PrelabelModel):
            def __init__(self, project_id, label_config):
                super().__init__(label_config=label_config)
                self.project_id = project_id
                self.kept = {}
                self.setup()

            def set(self, name, value):
                self.kept[name] = value

        model = Model(project_id="7", label_config=project["label_config"])
        answers = model.predict(tasks, context=None, login="", password="")
        outcome = model.fit("START_TRAINING", {"project": project}, extra=1)
        print(json.dumps([model.kept, len(answers), outcome["status"]]))
    """
    tasks = [{"id": task["id"], "data": task["data"]} for task in tasks_of(7)]
    answer = subprocess.run(
        [str(ENVIRONMENT / "bin" / "python"), "-c", textwrap.dedent(program), json.dumps([as_in_webhooks(7), tasks])],
        env=child_environment(settings),
        check=False,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[-1]) == [{"model_version": "v0"}, 4, "accepted"]


def is_due(connection: redis.Redis, uid: Uid) -> bool:
    """Whether the project is marked for training, or one was enqueued already."""
    return connection.zscore(DUE, uid) is not None or connection.exists(f"rq:job:{job_id(JobKind.TRAIN, uid)}") == 1


def child_environment(settings: Settings) -> dict[str, str]:
    """What a command of the package's environment is started with; nothing of ours is installed there."""
    assert settings.redis_url is not None
    assert ENVIRONMENT.is_dir(), f"{ENVIRONMENT} is missing: run `make {ENVIRONMENT.name}/.installed`."
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PRELABEL_", "LABEL_STUDIO_"))}
    return {
        **kept,
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PRELABEL_DATA_DIR": str(settings.data_dir),
        "PRELABEL_COMPILED": str(settings.compiled),
        "PRELABEL_REDIS_URL": settings.redis_url.get_secret_value(),
    }


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            httpx.get(url, timeout=1).raise_for_status()
            return
        except httpx.HTTPError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
