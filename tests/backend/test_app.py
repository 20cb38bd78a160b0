"""Apps are built from settings, and share nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from backend.app import create_app
from backend.labelstudio.connection import Connection, remember
from backend.settings import Settings
from tests.backend.server.stand_in import UID, StandInServices

ROOT = Path(__file__).parents[2]


def test_two_apps_with_different_settings_in_one_process() -> None:
    open_services = StandInServices(Settings(title="Open"))
    locked_services = StandInServices(Settings(title="Locked", username="me", password="secret"))
    locked_services.version = "v9"
    auth = ("me", "secret")
    with (
        TestClient(create_app(open_services.settings, open_services)) as unlocked,
        TestClient(create_app(locked_services.settings, locked_services)) as locked,
    ):
        assert unlocked.get("/health").status_code == 200
        assert locked.get("/health").status_code == 401
        assert unlocked.get("/").json()["title"] == "Open"
        assert locked.get("/", auth=auth).json()["title"] == "Locked"
        body = {"tasks": [], "project": UID}
        assert unlocked.post("/predict", json=body).json()["model_version"] == "v3"
        assert locked.post("/predict", json=body, auth=auth).json()["model_version"] == "v9"
        assert 'route="/predict"' not in TestClient(create_app(Settings(), open_services)).get("/metrics").text
        assert 'status="401"' not in unlocked.get("/metrics").text
        assert 'status="401"' in locked.get("/metrics", auth=auth).text


def test_the_webhook_secret_is_the_one_that_connect_remembered(tmp_path: Path) -> None:
    settings = Settings(username="me", password="secret", data_dir=tmp_path)
    client = TestClient(create_app(settings, StandInServices(settings)))
    body, header = {"action": "ANNOTATION_CREATED", "project": {"id": 1}}, {"Authorization": "Bearer hook"}
    assert client.post("/webhook", json=body, headers=header).status_code == 401
    connection = Connection("http://localhost:8080", webhook_secret="hook")
    remember(tmp_path, connection)
    assert client.post("/webhook", json=body, headers=connection.webhook_headers).status_code == 201
    assert client.post("/predict", json={"tasks": []}, headers=header).status_code == 401


@pytest.mark.parametrize(
    ("host", "locked", "warned"),
    [
        ("127.0.0.1", False, False),
        ("::1", False, False),
        ("localhost", False, False),
        ("0.0.0.0", False, True),
        ("prelabel.local", False, True),
        ("0.0.0.0", True, False),
    ],
)
def test_an_open_server_without_password_is_warned_of(
    host: str, locked: bool, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(host=host, username="me", password="secret") if locked else Settings(host=host)
    with caplog.at_level(logging.WARNING, logger="backend.app"):
        create_app(settings, StandInServices(settings))
    assert any("without a password" in record.message for record in caplog.records) == warned


def test_health_setup_and_webhook_import_no_heavy_package(tmp_path: Path, redis_url: str) -> None:
    program = textwrap.dedent(
        """
        import sys
        from starlette.testclient import TestClient
        from backend.app import create_app
        from backend.settings import Settings
        from tests.backend.server.stand_in import CONFIG, UID

        CONFIG = CONFIG.replace("<Text ", "<Image ")  # what answers for texts before any label is loaded ahead of time
        folder, redis_url = sys.argv[1:]
        project = {"id": 1, "created_at": "2026-11-20T04:43:09.5Z", "title": "Test", "label_config": CONFIG}
        with TestClient(create_app(Settings(data_dir=folder, redis_url=redis_url))) as client:
            print(client.get("/health").json()["status"])
            setup = client.post("/setup", json={"project": UID, "schema": CONFIG, "hostname": "http://localhost:8080"})
            print(setup.json())
            print(client.post("/webhook", json={"action": "PROJECT_UPDATED", "project": project}).status_code)
            print(client.get("/").json()["projects"][0]["title"], client.get("/metrics").status_code)
        heavy = {"torch", "torchvision", "sklearn", "timm", "transformers", "pandas", "scipy", "cv2"}
        print(sorted(heavy & set(sys.modules)))
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path), redis_url]
    answer = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert answer.stdout.splitlines() == ["UP", "{'model_version': 'v0'}", "201", "Test 200", "[]"], answer.stderr
