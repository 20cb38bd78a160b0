"""What becomes of the webhook that Label Studio makes for a backend that was added by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection, recall
from backend.labelstudio.webhook import claim_webhook
from backend.settings import Settings
from tests.label_studio import LabelStudioInstance, TestProject

OURS = "http://127.0.0.1:9090/webhook"


def settings(studio: LabelStudioInstance, data_dir: Path, password: str | None = "secret") -> Settings:
    return Settings(
        label_studio_url=studio.url,
        label_studio_api_key=SecretStr(studio.api_key),
        data_dir=data_dir,
        username="me" if password else None,
        password=SecretStr(password) if password else None,
    )


def webhooks(project: TestProject) -> dict[str, dict[str, Any]]:
    found = project.studio.call("GET", "/api/webhooks/", params={"project": project.id})
    return {webhook["url"]: webhook for webhook in found}


def add(project: TestProject, url: str, **fields: Any) -> None:
    body = {"project": project.id, "url": url, "send_payload": True, "send_for_all_actions": True, **fields}
    project.studio.call("POST", "/api/webhooks/", json=body)


def test_it_gets_our_secret_and_nothing_else_changes(
    label_studio: LabelStudioInstance, client: LabelStudio, project: TestProject, tmp_path: Path
) -> None:
    add(project, OURS.replace("127.0.0.1", "localhost"), actions=["ANNOTATION_CREATED"], send_for_all_actions=False)
    add(project, "http://127.0.0.1:1/elsewhere")
    before = webhooks(project)

    claim_webhook(client, project.id, settings(label_studio, tmp_path))

    known = recall(settings(label_studio, tmp_path))
    assert known is not None
    assert known.webhook_secret
    after = webhooks(project)
    mine = after.pop("http://localhost:9090/webhook")
    assert mine["headers"] == {"Authorization": f"Bearer {known.webhook_secret}"}
    changing = ("headers", "updated_at")
    unchanged = {name: value for name, value in mine.items() if name not in changing}
    assert unchanged == {k: v for k, v in before.pop("http://localhost:9090/webhook").items() if k not in changing}
    assert after == before


def test_a_header_that_is_there_stays(
    label_studio: LabelStudioInstance, client: LabelStudio, project: TestProject, tmp_path: Path
) -> None:
    add(project, OURS, headers={"authorization": "Basic abc"})
    claim_webhook(client, project.id, settings(label_studio, tmp_path))
    assert webhooks(project)[OURS]["headers"] == {"authorization": "Basic abc"}


def test_without_a_password_nothing_is_needed(
    label_studio: LabelStudioInstance, client: LabelStudio, project: TestProject, tmp_path: Path
) -> None:
    add(project, OURS)
    claim_webhook(client, project.id, settings(label_studio, tmp_path, password=None))
    assert webhooks(project)[OURS]["headers"] == {}


def test_a_refusal_is_only_logged(
    label_studio: LabelStudioInstance, project: TestProject, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with LabelStudio(Connection(label_studio.url, "0" * 40)) as stranger:
        claim_webhook(stranger, project.id, settings(label_studio, tmp_path))
    assert f"project {project.id} could not be given" in caplog.text
