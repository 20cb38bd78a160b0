"""`make run` as a whole: everything starts, is connected, continues at the next start, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backend.demo.label_studio import free_port
from backend.demo.run import demo_settings
from backend.errors import SettingsError
from tests.label_studio import PYTHON, LabelStudioInstance

ROOT = Path(__file__).parents[3]


def descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(one) for one in children] + [below for one in children for below in descendants(int(one))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def demo(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The demo until the block ends; gives what it printed once it was ready, and checks its end."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PRELABEL_PORT": str(free_port()), **environment}
    log = folder / "log"
    with log.open("wb") as output:
        arguments = ["--label-studio-python", str(PYTHON), "--label-studio-port", str(free_port())]
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.demo.run", *arguments],
            cwd=folder,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    below: list[int] = []
    try:
        deadline = time.monotonic() + 240.0
        while "Ctrl-C stops everything." not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        below = descendants(process.pid)
        yield log.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(60.0) == 0, log.read_text()
        assert [pid for pid in below if alive(pid)] == []
    finally:
        process.kill()
        process.wait()


def test_demo_with_its_own_label_studio(tmp_path: Path) -> None:
    with demo(tmp_path, {}) as said:
        assert "Not connected" not in said
        assert "password prelabel-demo" in said
        assert {path.name for path in (tmp_path / ".data").iterdir()} == {"prelabel", "label-studio"}


def test_second_demo_goes_on_where_the_first_stopped(tmp_path: Path, label_studio: LabelStudioInstance) -> None:
    environment = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.api_key}
    printed = []
    for _ in range(2):
        with demo(tmp_path, environment) as said:
            assert "Not connected" not in said
            printed.append(re.findall(r"/projects/(\d+)/data", said))
    assert len(printed[0]) == 3
    assert printed[0] == printed[1]


def test_half_an_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://localhost:8080")
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    with pytest.raises(SettingsError, match="got one of the two"):
        demo_settings()
