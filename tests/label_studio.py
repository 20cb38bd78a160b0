"""A real Label Studio for tests: what an operator and an annotator do with it, and a proxy that adds a sub-path."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any

import httpx

from backend.demo.label_studio import LabelStudioProcess, LabelStudioSettings, start_label_studio

VERSION = "1.23.2"
PYTHON = Path(__file__).parents[1] / ".venv-label-studio/bin/python"

TEXT_CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text" choice="single">
    <Choice value="billing"/><Choice value="technical"/><Choice value="other"/>
  </Choices>
</View>"""


@dataclass(frozen=True)
class LabelStudioInstance:
    """One running Label Studio with the tokens of its only user."""

    process: LabelStudioProcess
    api_key: str
    """Personal access token."""

    @property
    def url(self) -> str:
        return self.process.url

    @cached_property
    def session(self) -> httpx.Client:
        """Logged in with a cookie, as a browser is; independent of the client that is under test."""
        return self.process.login()

    def new_project(self, label_config: str = TEXT_CONFIG, title: str = "test", **fields: Any) -> TestProject:
        answer = self.call("POST", "/api/projects/", json={"title": title, "label_config": label_config, **fields})
        return TestProject(self, int(answer["id"]), answer)

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The JSON that Label Studio answers; an error answer is an error."""
        response = self.session.request(method, path, **arguments)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def close(self) -> None:
        self.session.close()
        self.process.stop()


@dataclass(frozen=True)
class TestProject:
    """One project, driven as people drive it."""

    __test__ = False

    studio: LabelStudioInstance
    id: int
    created: dict[str, Any]

    def get(self) -> dict[str, Any]:
        return dict(self.studio.call("GET", f"/api/projects/{self.id}/"))

    def patch(self, **fields: Any) -> dict[str, Any]:
        return dict(self.studio.call("PATCH", f"/api/projects/{self.id}/", json=fields))

    def import_tasks(self, tasks: Sequence[dict[str, Any]]) -> list[int]:
        """Import `tasks` (data alone, or with annotations and predictions); their ids, in order."""
        before = set(self.task_ids())
        self.studio.call("POST", f"/api/projects/{self.id}/import?commit_to_project=true", json=list(tasks))
        return sorted(set(self.task_ids()) - before)

    def import_texts(self, texts: Sequence[str], key: str = "text") -> list[int]:
        return self.import_tasks([{"data": {key: text}} for text in texts])

    def upload(self, path: Path) -> int:
        """Upload one file as a task of its own, as the import page does; the task's id."""
        before = set(self.task_ids())
        with path.open("rb") as file:
            self.studio.call(
                "POST", f"/api/projects/{self.id}/import?commit_to_project=true", files={"file": (path.name, file)}
            )
        (task,) = set(self.task_ids()) - before
        return task

    def upload_images(self, images: Mapping[str, bytes]) -> dict[int, str]:
        """Upload images by file name, PNG or JPEG, as tasks; the name of each task's, the oldest first."""
        files = [(name, (name, content, guess_type(name)[0])) for name, content in images.items()]
        self.studio.call("POST", f"/api/projects/{self.id}/import?commit_to_project=true", files=files)
        tasks = self.studio.call("GET", "/api/tasks/", params={"project": self.id, "page_size": 100_000})["tasks"]
        named = {int(task["id"]): str(task["data"]["image"]).rsplit("/", 1)[1] for task in tasks}
        return {task: next(name for name in images if named[task].endswith(name)) for task in sorted(named)}

    def serve_local_files(self, folder: Path) -> None:
        """Allow tasks of this project to name files under `folder`, which lies in the instance's file folder."""
        body = {"project": self.id, "path": str(folder), "use_blob_urls": True, "title": "local"}
        self.studio.call("POST", "/api/storages/localfiles/", json=body)

    def read_from_bucket(self, url: str, bucket: str, key: str, secret: str, *, presign: bool = True) -> list[int]:
        """Add a bucket of the S3 server at `url` as a source storage; the ids of the tasks that its objects become."""
        before = set(self.task_ids())
        body = {
            "project": self.id, "bucket": bucket, "s3_endpoint": url, "region_name": "us-east-1", "presign": presign,
            "aws_access_key_id": key, "aws_secret_access_key": secret, "use_blob_urls": True, "recursive_scan": True,
            "title": bucket,
        }  # fmt: skip
        storage = self.studio.call("POST", "/api/storages/s3/", json=body)
        self.studio.call("POST", f"/api/storages/s3/{storage['id']}/sync")
        return sorted(set(self.task_ids()) - before)

    def task_ids(self) -> list[int]:
        tasks = self.studio.call("GET", "/api/tasks/", params={"project": self.id, "page_size": 100_000})["tasks"]
        return sorted(int(task["id"]) for task in tasks)

    def task(self, task: int) -> dict[str, Any]:
        return dict(self.studio.call("GET", f"/api/tasks/{task}/"))

    def next_task(self) -> dict[str, Any]:
        """What pressing "Label All Tasks" opens."""
        return dict(
            self.studio.call("POST", "/api/dm/actions", params={"id": "next_task", "project": self.id}, json={})
        )

    def annotate(self, task: int, *choices: str, control: str = "topic", **fields: Any) -> dict[str, Any]:
        """Submit an annotation of `choices`, as the labelling page does; `fields` add to what is sent."""
        said = {"result": self.regions(*choices, control=control), "lead_time": 1.5}
        return self.submit(task, **{**said, **fields})

    def submit(self, task: int, result: Sequence[Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
        """Submit an annotation of these regions, as the labelling page does; `fields` add to what is sent."""
        body = {"result": list(result), "lead_time": 9.0, **fields}
        return dict(self.studio.call("POST", f"/api/tasks/{task}/annotations/?project={self.id}", json=body))

    def skip(self, task: int) -> dict[str, Any]:
        return self.annotate(task, was_cancelled=True)

    def update_annotation(self, annotation: int, *choices: str, control: str = "topic") -> dict[str, Any]:
        body = {"result": self.regions(*choices, control=control)}
        return dict(self.studio.call("PATCH", f"/api/annotations/{annotation}/", json=body))

    def delete_annotation(self, annotation: int) -> None:
        self.studio.call("DELETE", f"/api/annotations/{annotation}/")

    def draft(self, task: int, *choices: str, control: str = "topic") -> dict[str, Any]:
        body = {"result": self.regions(*choices, control=control), "lead_time": 1.0}
        return dict(self.studio.call("POST", f"/api/tasks/{task}/drafts?project={self.id}", json=body))

    def regions(self, *choices: str, control: str = "topic") -> list[dict[str, Any]]:
        """What the labelling page sends for `choices`: one region, or none for none."""
        target = self.created["parsed_label_config"][control]["to_name"][0]
        region = {"id": "r1", "from_name": control, "to_name": target, "type": "choices", "origin": "manual"}
        return [{**region, "value": {"choices": list(choices)}}] if choices else []

    def predict(self, task: int, choice: str, version: str, *, control: str = "topic", score: float = 0.5) -> int:
        """Store a prediction by hand; its id."""
        body = {"task": task, "result": self.regions(choice, control=control), "score": score, "model_version": version}
        return int(self.studio.call("POST", "/api/predictions/", json=body)["id"])

    def predictions(self, task: int | None = None) -> list[dict[str, Any]]:
        parameters = {"project": self.id} if task is None else {"task": task}
        return sorted(self.studio.call("GET", "/api/predictions/", params=parameters), key=lambda row: int(row["id"]))

    def shows(self, version: str, tasks: Iterable[int]) -> bool:
        """Whether each of `tasks` has a prediction, the newest of which is of `version`."""
        rows = [self.predictions(task)[-1:] for task in tasks]
        return all(newest and newest[0]["model_version"] == version for newest in rows)

    def act(self, action: str, tasks: Sequence[int] | None = None, **fields: Any) -> dict[str, Any]:
        """Run a Data Manager action on `tasks`, or on all."""
        everything: dict[str, Any] = {"all": True, "excluded": []}
        chosen = everything if tasks is None else {"all": False, "included": list(tasks)}
        body = {"selectedItems": chosen, "ordering": [], "filters": {"conjunction": "and", "items": []}, **fields}
        return dict(self.studio.call("POST", "/api/dm/actions", params={"id": action, "project": self.id}, json=body))


def start_instance(
    data_dir: Path, cache: Path, environment: dict[str, str] | None = None, **fields: Any
) -> LabelStudioInstance:
    """Start a Label Studio in `data_dir`. The empty database is kept in `cache`: making it takes most of a start."""
    settings = replace(LabelStudioSettings(python=PYTHON, data_dir=data_dir), **fields)
    database, kept = data_dir / "label_studio.sqlite3", cache / f"label-studio-{VERSION}.sqlite3"
    data_dir.mkdir(parents=True, exist_ok=True)
    if kept.exists() and not database.exists():
        database.write_bytes(kept.read_bytes())
    process = start_label_studio(settings, environment=environment)
    try:
        if not kept.exists():
            _keep(database, kept)
        return LabelStudioInstance(process, process.personal_token())
    except BaseException:
        process.stop()
        raise


def _keep(database: Path, kept: Path) -> None:
    temporary = kept.with_suffix(f".{database.stat().st_ino}")
    with sqlite3.connect(database) as source, sqlite3.connect(temporary) as target:
        source.backup(target)
    temporary.replace(kept)


@contextmanager
def below_path(url: str, prefix: str = "/label-studio") -> Iterator[str]:
    """A proxy that serves `url` below `prefix` (which it strips), as nginx does in front of a Label Studio on a
    sub-path; yields the address below it. Anything outside of the prefix is 404."""

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if not self.path.startswith(prefix + "/"):
                self.answer(404, b"not below the prefix", {})
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")}
            response = httpx.request(
                self.command, url + self.path.removeprefix(prefix), content=body, headers=kept, timeout=60
            )
            headers = {k: v for k, v in response.headers.items() if k in ("content-type", "location", "set-cookie")}
            self.answer(response.status_code, response.content, headers)

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in (headers | {"content-length": str(len(body))}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Tests' output is for tests."""

    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.forward)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
