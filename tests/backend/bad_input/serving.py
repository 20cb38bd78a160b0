"""The real server with taught projects, and what is asked of every answer that it gives."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from pydantic import SecretStr

from backend.app import create_app
from backend.converters import CONVERTERS
from backend.converters.base import region_id, region_key
from backend.jobs.view import JobState
from backend.labelstudio.config import parse_config
from backend.services import Services
from backend.serving.families import Families
from backend.settings import Settings
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from model_zoo.postprocess import postprocess_of
from model_zoo.recipes import Recipe
from model_zoo.types import ClassificationExample, Input, Item
from tests.backend.server.running import running

TEXTS = "1.1795149789"
IMAGES = "2.1795149789"
TEXT_CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="billing"/><Choice value="travel"/></Choices></View>'
)
IMAGE_CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="colour" toName="image">'
    '<Choice value="red"/><Choice value="blue"/></Choices></View>'
)
CONFIGS = {TEXTS: TEXT_CONFIG, IMAGES: IMAGE_CONFIG}
GOOD = {"id": 900, "data": {"text": "My invoice is wrong, I was charged twice"}}
"""A task that is predicted, as billing, whatever came before it."""


def picture(colour: str, kind: str = "PNG", side: int = 64) -> bytes:
    """An image file of one colour."""
    written = io.BytesIO()
    Image.new("RGB", (side, side), {"red": (220, 0, 0), "blue": (0, 0, 220)}[colour]).save(written, kind)
    return written.getvalue()


def teach(store: ObjectStore, uid: str, config: str, examples: Sequence[tuple[Input, str]]) -> None:
    """Publish v1 of a project, taught these examples with the zoo's default family."""
    (control,) = parse_config(config).controls
    chosen, labels = Families().of(control), CONVERTERS[control.tag].label_space(control)
    given = [ClassificationExample(Item(value), frozenset([label])) for value, label in examples]
    trained = chosen.train(given, labels, Recipe())
    postprocess = postprocess_of(chosen.task).fit(trained.out_of_fold, [example.labels for example in given], labels)
    artifacts = Artifacts(store)
    with tempfile.TemporaryDirectory() as folder:
        trained.model.save(Path(folder))
        digest = artifacts.put(Path(folder))
    part = ControlVersion(chosen.name, digest, labels.names, postprocess=postprocess.to_json())
    Versions(store).publish(Manifest(uid, "v1", 0.0, 1, {control.name: part}))


@dataclass(frozen=True)
class Backend:
    """A server on loopback, over HTTP and from within."""

    client: httpx.Client
    services: Services
    folder: Path

    def post(self, path: str, body: Any) -> httpx.Response:
        """`body` as JSON in ASCII, which holds what UTF-8 cannot."""
        return self.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})

    def predict(self, tasks: Sequence[Any], uid: str = TEXTS, config: str | None = None) -> list[dict[str, Any]]:
        """The entries for `tasks`: one each, in order, valid for the config, scored, and all of one version."""
        config = config or CONFIGS[uid]
        answer = self.post("/predict", {"project": uid, "label_config": config, "tasks": list(tasks)})
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["results"]
        assert len(entries) == len(tasks)
        for task, entry in zip(tasks, entries, strict=True):
            self.check(entry, task, config)
            assert entry["model_version"] == answer.json()["model_version"]
        return entries

    def check(self, entry: dict[str, Any], task: Any, config: str) -> None:
        """Whether Label Studio takes an entry, and whether it is this task's."""
        parsed = parse_config(config)
        assert type(entry["score"]) is float
        assert 0 <= entry["score"] <= 1
        assert not entry["result"] or parsed.validate(entry) == []
        number = task.get("id") if isinstance(task, Mapping) and isinstance(task.get("id"), int) else None
        for region in entry["result"]:
            assert region["id"] == region_id(region_key(number, entry["model_version"]), region["from_name"])
            assert 0 <= region["score"] <= 1

    def refused(self, answer: httpx.Response, *said: str, status: int = 400) -> None:
        """Whether an answer is a refusal in a sentence that contains `said`, and nothing of our insides."""
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        body = answer.json()
        assert set(body) == {"error", "status"}
        assert len(body["error"].split()) >= 4
        assert all(words in body["error"] for words in said), body["error"]
        assert not any(words in answer.text for words in ("Traceback", 'File "', ".py", str(self.folder), "Errno"))

    def works(self) -> None:
        """Whether what is good is still answered, and the queue takes work."""
        assert self.client.get("/health").json()["status"] == "UP"
        setup = {"project": TEXTS, "schema": TEXT_CONFIG, "hostname": ""}
        assert self.client.post("/setup", json=setup).json() == {"model_version": "v1"}
        (entry,) = self.predict([GOOD])
        assert chosen(entry) == ["billing"]
        event = {"action": "ANNOTATION_CREATED", "project": {"id": 1}, "annotation": {"id": 1}, "task": {"id": 1}}
        assert self.client.post("/webhook", json=event).json()["status"] == "accepted"
        job = self.client.post("/train", json={"project": TEXTS}).json()
        assert job["job_status"] == "queued"
        assert self.client.get("/").json()["queue"] is True
        assert not [view for view in self.services.queue.jobs() if view.state is JobState.FAILED]

    def failures(self) -> dict[str, float]:
        """What `/metrics` says about failed predictions, by reason."""
        lines = self.client.get("/metrics").text.splitlines()
        rows = [line for line in lines if line.startswith("prelabel_prediction_failures") and 'reason="' in line]
        return {line.split('reason="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in rows}


def chosen(entry: Mapping[str, Any]) -> list[str]:
    """The labels in an entry."""
    return [label for region in entry["result"] for label in region["value"]["choices"]]


@contextmanager
def serving(folder: Path, taught: Path | None, redis_url: str, **changes: Any) -> Iterator[Backend]:
    """The real application over a copy of the store `taught`, served by uvicorn; all its data lie in `folder`."""
    if taught is not None:
        shutil.copytree(taught, folder / "data" / "store")
    settings = Settings(
        data_dir=folder / "data",
        redis_url=SecretStr(redis_url),
        allowed_hosts=("127.0.0.1",),
        media_timeout=5,
        refresh_quiet=0.2,
        **changes,
    )
    services = Services(settings)
    with running(create_app(settings, services)) as url, httpx.Client(base_url=url, timeout=120) as client:
        yield Backend(client, services, folder)
