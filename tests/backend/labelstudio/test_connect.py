"""Connecting projects of the real Label Studio. Our own server is stood for by one that answers as little as it can."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.demo.label_studio import free_port
from backend.labelstudio.connect import Hop, connect_projects
from backend.labelstudio.connection import recall
from backend.labelstudio.reachability import webhook_problem
from backend.labelstudio.webhook import HINTED, PROJECT_HEADER, TOLD
from backend.settings import Settings
from tests.label_studio import LabelStudioInstance, TestProject, start_instance

IMAGE_CONFIG = """<View><Image name="image" value="$image"/>
<Choices name="kind" toName="image" choice="multiple"><Choice value="a"/><Choice value="b"/></Choices>
<Rating name="stars" toName="image"/></View>"""


@dataclass
class OurServer:
    """The protocol, and nothing behind it."""

    port: int = 0
    version: str = "v0"
    auth: tuple[str, str] | None = None
    secret: str | None = None
    """The webhook's secret that it insists on."""
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    setups: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, authorization: str | None, body: Any) -> tuple[int, Any]:
        if path == "/webhook" and self.secret is not None and authorization != f"Bearer {self.secret}":
            return 401, {"error": "no"}
        if path != "/webhook" and self.auth is not None and authorization != basic(*self.auth):
            return 401, {"error": "no"}
        if path == "/setup":
            self.setups.append(body)
            return 200, {"model_version": self.version}
        if path == "/webhook":
            self.webhooks.append(body)
        if path == "/metrics":
            projects = sum(event["action"] == "PROJECT_UPDATED" for event in self.webhooks)
            return 200, f'prelabel_events_total{{action="PROJECT_UPDATED",process="1"}} {float(projects)}\n'
        return (200, {"status": "UP"}) if path in ("/health", "/webhook") else (404, {})


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def serving(ours: OurServer) -> Iterator[OurServer]:
    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            authorization = self.headers.get("authorization")
            status, answer = ours.answer(self.path, authorization, json.loads(content) if content else None)
            body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = respond  # noqa: N815 - the names that http.server calls
        do_POST = respond  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            """Tests' output is for tests."""

    server = ThreadingHTTPServer(("127.0.0.1", ours.port), Handler)
    ours.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield ours
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def ours() -> Iterator[OurServer]:
    with serving(OurServer()) as server:
        yield server


def settings(studio: LabelStudioInstance, ours: OurServer, data_dir: Path, **given: Any) -> Settings:
    values = {
        "label_studio_url": studio.url,
        "label_studio_api_key": SecretStr(studio.api_key),
        "data_dir": data_dir,
        "port": ours.port,
        "public_url": ours.url,
    }
    return Settings(**{**values, **given})


def failed(hops: list[Hop]) -> dict[str, str]:
    return {hop.name: hop.message for hop in hops if not hop.ok}


def backends(project: TestProject) -> list[dict[str, Any]]:
    return list(project.studio.call("GET", "/api/ml", params={"project": project.id}))


def webhooks(project: TestProject) -> list[dict[str, Any]]:
    return list(project.studio.call("GET", "/api/webhooks/", params={"project": project.id}))


def test_connecting_sets_everything_and_checks_each_hop(
    label_studio: LabelStudioInstance, project: TestProject, ours: OurServer, tmp_path: Path
) -> None:
    project.import_texts(["a"])
    wanted = settings(label_studio, ours, tmp_path)

    hops = connect_projects(wanted, [project.id])

    assert failed(hops) == {}
    assert [hop.name.removeprefix(f"project {project.id}: ") for hop in hops] == [
        "Label Studio", "token", "this backend", "project", "config", "backend", "project settings", "webhook",
        "webhook arrives", "media",
    ]  # fmt: skip
    (backend,) = backends(project)
    assert (backend["url"], backend["title"], backend["is_interactive"]) == (ours.url, "Prelabel", True)
    found = project.get()
    assert (found["sampling"], found["model_version"]) == ("Uncertainty sampling", "Prelabel")
    told, hinted = sorted(webhooks(project), key=lambda one: not one["send_payload"])
    kept = recall(wanted)
    assert kept is not None
    secret = {"Authorization": f"Bearer {kept.webhook_secret}"}
    assert (told["headers"], sorted(told["actions"])) == (secret, sorted(TOLD))
    assert hinted["headers"] == {**secret, PROJECT_HEADER: f"{project.id} {found['created_at']}"}
    assert (sorted(hinted["actions"]), hinted["send_payload"]) == (sorted(HINTED), False)
    assert not told["send_for_all_actions"]
    assert not hinted["send_for_all_actions"]
    assert ours.setups[-1]["project"].startswith(f"{project.id}.")


def test_connecting_twice_changes_nothing(
    label_studio: LabelStudioInstance, project: TestProject, ours: OurServer, tmp_path: Path
) -> None:
    wanted = settings(label_studio, ours, tmp_path)
    connect_projects(wanted, [project.id])
    before = (backends(project)[0]["id"], webhooks(project), recall(wanted))

    hops = connect_projects(settings(label_studio, ours, tmp_path, label_studio_url=None), [project.id])

    assert failed(hops) == {}
    assert len(backends(project)) == 1
    assert (backends(project)[0]["id"], webhooks(project), recall(wanted)) == before


def test_a_backend_that_was_added_by_hand_and_moved_is_taken_over(
    label_studio: LabelStudioInstance, project: TestProject, ours: OurServer, tmp_path: Path
) -> None:
    with serving(OurServer()) as elsewhere:
        body = {"project": project.id, "url": elsewhere.url, "title": "Prelabel"}
        label_studio.call("POST", "/api/ml", json=body)
        assert [one["url"] for one in webhooks(project)] == [f"{elsewhere.url}/webhook"]

        assert failed(connect_projects(settings(label_studio, ours, tmp_path), [project.id])) == {}

    assert [one["url"] for one in backends(project)] == [ours.url]
    assert [one["url"] for one in webhooks(project)] == [f"{ours.url}/webhook"] * 2


def test_the_project_shows_the_version_that_it_has(
    label_studio: LabelStudioInstance, project: TestProject, ours: OurServer, tmp_path: Path
) -> None:
    (task,) = project.import_texts(["a"])
    ours.version = "v3"

    hops = connect_projects(settings(label_studio, ours, tmp_path), [project.id])
    assert failed(hops) == {}
    assert project.get()["model_version"] == "Prelabel"  # no prediction of v3 is stored: the live backend answers

    project.predict(task, "billing", "v3")
    connect_projects(settings(label_studio, ours, tmp_path), [project.id])
    assert project.get()["model_version"] == "v3"


def test_sampling_may_be_kept(
    label_studio: LabelStudioInstance, project: TestProject, ours: OurServer, tmp_path: Path
) -> None:
    connect_projects(settings(label_studio, ours, tmp_path), [project.id], sampling=False)
    assert project.get()["sampling"] == "Sequential sampling"


def test_basic_auth_and_a_legacy_token_below_a_path(
    label_studio: LabelStudioInstance, project: TestProject, sub_path_url: str, tmp_path: Path
) -> None:
    with serving(OurServer(auth=("me", "secret"))) as ours:
        given = {
            "label_studio_url": sub_path_url,
            "label_studio_api_key": SecretStr(label_studio.process.legacy_token()),
            "username": "me",
            "password": SecretStr("secret"),
        }
        wanted = settings(label_studio, ours, tmp_path, **given)
        hops = connect_projects(wanted, [project.id])
        assert failed(hops) == {}
        assert "legacy token" in hops[1].message
        assert backends(project)[0]["auth_method"] == "BASIC_AUTH"

        other = settings(label_studio, ours, tmp_path, **{**given, "password": SecretStr("wrong")})
        message = failed(connect_projects(other, [project.id]))[f"project {project.id}: backend"]
        assert "PRELABEL_PASSWORD" in message


def test_each_hop_that_fails_is_named(
    label_studio: LabelStudioInstance, project: TestProject, ours: OurServer, tmp_path: Path
) -> None:
    def problems(**given: Any) -> dict[str, str]:
        return failed(connect_projects(settings(label_studio, ours, tmp_path, **given), [project.id]))

    nowhere = f"http://127.0.0.1:{free_port()}"
    ours_name = f"project {project.id}: backend"
    assert "cannot be reached" in problems(label_studio_url=nowhere)["Label Studio"]
    assert "not as a Label Studio" in problems(label_studio_url=ours.url)["Label Studio"]
    assert "does not accept the token" in problems(label_studio_api_key=SecretStr("0" * 40))["token"]
    assert "host.docker.internal" in problems(public_url=nowhere)[ours_name]
    assert "cannot resolve" in problems(public_url="http://no-such-host.invalid:9090")[ours_name]
    assert "does not speak https" in problems(public_url=ours.url.replace("http", "https"))[ours_name]
    assert "looks like" not in str(problems())


def test_nothing_is_known_before_an_address_is(tmp_path: Path) -> None:
    (hop,) = connect_projects(Settings.from_environment({}, data_dir=tmp_path), [1])
    assert not hop.ok
    assert "--label-studio-url" in hop.message


def test_an_unknown_project_does_not_keep_others_from_being_connected(
    label_studio: LabelStudioInstance, project: TestProject, ours: OurServer, tmp_path: Path
) -> None:
    hops = connect_projects(settings(label_studio, ours, tmp_path), [10**6, project.id])
    assert list(failed(hops)) == ["project 1000000: project"]


def test_a_lost_webhook_is_noticed(
    label_studio: LabelStudioInstance, project: TestProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.labelstudio.reachability.WEBHOOK_WAIT", 0.5)
    with serving(OurServer(secret="another one")) as ours:
        hops = connect_projects(settings(label_studio, ours, tmp_path), [project.id])
    assert list(failed(hops)) == [f"project {project.id}: webhook arrives"]


@pytest.mark.parametrize("allowed", [{}, {"ML_BLOCK_LOCAL_IP": "false"}])
def test_private_addresses_that_label_studio_blocks_are_explained(
    ours: OurServer, tmp_path: Path, pytestconfig: pytest.Config, allowed: dict[str, str]
) -> None:
    kept = pytestconfig.cache.mkdir("label-studio")
    strict = start_instance(tmp_path / "ls", kept, allowed, allow_private_addresses=False)
    try:
        there = strict.new_project()
        hops = connect_projects(settings(strict, ours, tmp_path / "data"), [there.id])
    finally:
        strict.close()
    message = failed(hops)[f"project {there.id}: backend"]
    assert "ML_BLOCK_LOCAL_IP=false" in message
    assert "SSRF_PROTECTION_ENABLED=false" in message


def test_config_and_media_are_looked_at(
    label_studio: LabelStudioInstance, ours: OurServer, tmp_path: Path, label_studio_files: Path
) -> None:
    images, nothing = label_studio.new_project(IMAGE_CONFIG), label_studio.new_project("<View/>")
    picture = label_studio_files / "picture.png"
    picture.write_bytes(base64.b64decode(PIXEL))
    images.upload(picture)
    wanted = settings(label_studio, ours, tmp_path)

    hops = {hop.name: hop for hop in connect_projects(wanted, [images.id, nothing.id])}

    media, config = hops[f"project {images.id}: media"], hops[f"project {images.id}: config"]
    assert media.ok, media.message
    assert f"{picture.stat().st_size} bytes" in media.message
    assert 'Choices "kind" on Image is learnt: several of 2 labels.' in config.message
    assert "stars" in config.message
    assert not hops[f"project {nothing.id}: config"].ok

    broken = label_studio.new_project(IMAGE_CONFIG)
    broken.import_tasks([{"data": {"image": "/data/upload/1/gone.png"}}])
    message = failed(connect_projects(wanted, [broken.id]))[f"project {broken.id}: media"]
    assert "gone.png" in message
    assert "wanted 200" in message


def test_hosts_without_a_dot_get_no_webhook() -> None:
    assert "prelabel.local" in (webhook_problem("http://prelabel:9090/webhook") or "")
    for fine in (
        "http://localhost:9090/webhook",
        "http://10.0.0.3:9090/webhook",
        "http://[::1]/webhook",
        "http://a.b/w",
    ):
        assert webhook_problem(fine) is None


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
