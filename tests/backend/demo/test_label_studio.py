from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from backend.demo.label_studio import LabelStudioSettings, free_port, start_label_studio
from backend.errors import LabelStudioError
from tests.label_studio import PYTHON, start_instance


def test_it_starts_serves_and_leaves_no_process(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    instance = start_instance(tmp_path, pytestconfig.cache.mkdir("label-studio"))
    pid = instance.process.pid
    token_file = tmp_path / "personal-access-token"

    assert token_file.stat().st_mode & 0o777 == 0o600
    assert instance.process.personal_token() == instance.api_key
    assert instance.call("GET", "/api/version")["release"].startswith("1.23")
    project = instance.new_project()

    instance.close()
    assert not running(pid)

    again = start_instance(tmp_path, pytestconfig.cache.mkdir("label-studio"))
    try:
        assert again.api_key == instance.api_key
        assert again.call("GET", f"/api/projects/{project.id}/")["title"] == "test"
    finally:
        again.close()


def test_it_says_why_it_did_not_start(tmp_path: Path) -> None:
    settings = LabelStudioSettings(python=PYTHON, data_dir=tmp_path)
    with pytest.raises(LabelStudioError, match="ended while starting"):
        start_label_studio(settings, environment={"DJANGO_SETTINGS_MODULE": "no_such_module"})


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    port = free_port()
    arguments = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
        try:
            wait_for(f"http://127.0.0.1:{port}")
            settings = replace(LabelStudioSettings(python=PYTHON, data_dir=tmp_path), port=port)
            with pytest.raises(LabelStudioError, match=f"Port {port}"):
                start_label_studio(settings)
        finally:
            other.kill()


def wait_for(url: str) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
        client.get(url)


def running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
