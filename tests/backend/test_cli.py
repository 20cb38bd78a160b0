"""The command line: what it says without a server, and `prelabel up` as a whole."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from backend.cli import app


def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "120", **(env or {})})
    return result.exit_code, result.output


def test_help_names_every_command() -> None:
    status, output = run("--help")
    assert status == 0
    assert all(
        name in output for name in ("up", "serve", "worker", "connect", "predict", "status", "models", "version")
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PRELABEL_PORT", "many", "PRELABEL_PORT: got 'many'"),
        ("PRELABEL_PROT", "1", "Unknown setting PRELABEL_PROT"),
        ("PRELABEL_PASSWORD", "x", "belong together"),
    ],
)
def test_wrong_setting_ends_with_a_sentence(name: str, value: str, said: str) -> None:
    status, output = run("status", env={name: value})
    assert status == 2
    assert said in output
    assert "Traceback" not in output


def test_option_comes_before_the_environment(tmp_path: Path) -> None:
    status, output = run("status", "--port", "1", env={"PRELABEL_PORT": "2"})
    assert status == 1
    assert "http://127.0.0.1:1 " in output


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_without_redis_it_says_what_to_do(command: str, tmp_path: Path) -> None:
    status, output = run(command, "--data-dir", str(tmp_path))
    assert status == 2
    assert "prelabel up" in output


def test_status_without_a_server_says_how_to_start_one() -> None:
    status, output = run("status", "--port", "1")
    assert status == 1
    assert "prelabel up" in output


def test_connect_without_an_address_says_how_to_give_it(tmp_path: Path) -> None:
    status, output = run("connect", "--project", "1", "--data-dir", str(tmp_path))
    assert status == 1
    assert "--label-studio-url" in output


def test_models_lists_every_family_for_programs_and_people() -> None:
    status, output = run("models", "--json")
    assert status == 0
    families = json.loads(output)
    assert {"name", "task", "found", "licence", "size"} <= families[0].keys()
    printed = run("models")[1]
    assert all(family["name"] in printed for family in families)


def test_models_and_help_load_no_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from backend.cli import app; "
        "CliRunner().invoke(app, ['models', '--json'], catch_exceptions=False); "
        "sys.exit(int(bool({'torch', 'transformers', 'timm', 'sklearn'} & sys.modules.keys())))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_version_says_the_release() -> None:
    status, output = run("version")
    assert status == 0
    assert output.startswith("prelabel")


@dataclass
class Up:
    """A running `prelabel up`."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def children(self) -> list[int]:
        """All processes below it, as the kernel lists them."""
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            try:
                below = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            except FileNotFoundError:
                continue
            found += below
            waiting += below
        return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", "up", "--port", str(port), "--data-dir", str(tmp_path / "data")],
            stdout=log,
            stderr=log,
        )
        made = Up(process, port, tmp_path)
        try:
            await_health(made)
            yield made
        finally:
            process.kill()
            process.wait()


def await_health(up: Up, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert up.process.poll() is None, (up.folder / "log").read_text()
        try:
            if httpx.get(f"{up.url}/health", timeout=5.0).json()["status"] == "UP":
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"no /health within {seconds} s: {(up.folder / 'log').read_text()}")


def test_up_serves_survives_a_killed_server_and_leaves_nothing_behind(up: Up) -> None:
    status = run("status", "--json", "--port", str(up.port))
    assert json.loads(status[1])["queue"] is True

    def listener() -> int:
        # Redis, the server, the worker: started in this order by the first process.
        return [int(pid) for pid in Path(f"/proc/{up.process.pid}/task/{up.process.pid}/children").read_text().split()][
            1
        ]

    first = listener()
    os.kill(first, signal.SIGKILL)
    await_health(up)
    assert listener() != first or not alive(first)

    second = subprocess.run(
        [sys.executable, "-m", "backend.cli", "up", "--port", str(up.port), "--data-dir", str(up.folder / "other")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "--port" in second.stderr

    below = up.children()
    assert len(below) >= 3
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(20.0) == 0
    assert [pid for pid in below if alive(pid)] == []
