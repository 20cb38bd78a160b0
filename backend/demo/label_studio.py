"""Runs a real Label Studio of its own: for `make run`, and for the tests.

Label Studio pins packages that Prelabel cannot live with, so it comes from an environment of its own and is
reached over HTTP alone.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import httpx

from backend.errors import LabelStudioError

START_TIMEOUT = 240.0
"""Seconds. The first start writes the database: about 20 s on two quiet cores, far more on busy ones."""
STOP_TIMEOUT = 10.0

_PROGRAM = """
import ctypes, runpy, signal, sys
if sys.platform == "linux":
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
runpy.run_module("label_studio.server", run_name="__main__")
"""
"""Ends with its parent: a Label Studio that outlives a killed one would keep the port and the database."""


@dataclass(frozen=True)
class LabelStudioSettings:
    """What a Label Studio is started with. `python` is the interpreter of the environment that has it."""

    python: Path
    data_dir: Path
    port: int = 0
    username: str = "admin@example.com"
    password: str = field(default="prelabel-demo", repr=False)
    files: Path | None = None
    """Folder that Label Studio serves under `/data/local-files/?d=`; None serves none."""
    allow_private_addresses: bool = True
    """Label Studio refuses backends and webhooks on private addresses unless told otherwise."""
    public_url: str | None = None
    """Address behind a proxy, sub-path included; None leaves links relative."""
    legacy_tokens: bool = False


class LabelStudioProcess:
    """A running Label Studio; a context manager that stops it with all its children."""

    def __init__(self, settings: LabelStudioSettings, process: subprocess.Popen[bytes], port: int) -> None:
        self.settings = settings
        self.port = port
        self._process = process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process and everything it started. Harmless when it is gone already."""
        _signal_group(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT)
        _signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def login(self) -> httpx.Client:
        """An HTTP client that is logged in as the user this instance was started with; close it after use."""
        client = httpx.Client(base_url=self.url, timeout=30, follow_redirects=False)
        client.get("/user/login/").raise_for_status()
        form = {
            "email": self.settings.username,
            "password": self.settings.password,
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        if client.post("/user/login/", data=form).status_code != 302:
            client.close()
            raise LabelStudioError(
                f"Label Studio at {self.url} refused the login of {self.settings.username}. Its data folder "
                f"{self.settings.data_dir} was made with another password: use that one, or another folder."
            )
        client.headers["X-CSRFToken"] = client.cookies["csrftoken"]
        return client

    def personal_token(self) -> str:
        """The user's personal access token: made at the first call, and remembered beside the data with mode 0600."""
        remembered = self.settings.data_dir / "personal-access-token"
        if remembered.exists():
            return remembered.read_text().strip()
        with closing(self.login()) as client:
            answer = client.post("/api/token/")
        if answer.status_code != 201:
            raise LabelStudioError(f"Label Studio made no token: {answer.text}", answer.status_code)
        token = str(answer.json()["token"])
        with os.fdopen(os.open(remembered, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(token)
        return token

    def legacy_token(self) -> str:
        """The user's legacy token, after turning legacy tokens on for the organisation."""
        with closing(self.login()) as client:
            client.post(
                "/api/jwt/settings", json={"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
            ).raise_for_status()
            return str(client.get("/api/current-user/token").raise_for_status().json()["token"])

    def __enter__(self) -> LabelStudioProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def start_label_studio(
    settings: LabelStudioSettings,
    *,
    environment: dict[str, str] | None = None,
    waiting: Callable[[], None] = lambda: None,
) -> LabelStudioProcess:
    """Start Label Studio and return once it answers. Raises `LabelStudioError` with the end of its log if it does not.

    `environment` adds to (and overrides) the variables it gets; none of the caller's own reach it,
    so that settings meant for Prelabel cannot change it. `waiting` is called about every 0.2 s.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    port = settings.port or free_port()
    if settings.port and _in_use(port):
        # Label Studio itself would silently move to another port.
        raise LabelStudioError(
            f"Port {port}, meant for Label Studio, is in use. Stop what listens there or name another."
        )
    log = settings.data_dir / "label-studio.log"
    with log.open("ab") as output:
        process = _spawn(settings, port, environment or {}, output)
    started = LabelStudioProcess(settings, process, port)
    try:
        _await_health(started, log, waiting)
    except BaseException:
        started.stop()
        raise
    return started


def free_port() -> int:
    """A TCP port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _spawn(
    settings: LabelStudioSettings, port: int, environment: dict[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    arguments = ["start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    arguments += ["--data-dir", str(settings.data_dir)]
    if settings.legacy_tokens:
        arguments.append("--enable-legacy-api-token")
    return subprocess.Popen(
        [str(settings.python), "-c", _PROGRAM, *arguments],
        cwd=settings.data_dir,
        env=_variables(settings) | environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _variables(settings: LabelStudioSettings) -> dict[str, str]:
    blocked = "false" if settings.allow_private_addresses else "true"
    variables = {
        "PATH": os.defpath,
        "HOME": str(settings.data_dir),
        "LANG": "C.UTF-8",
        "LABEL_STUDIO_USERNAME": settings.username,
        "LABEL_STUDIO_PASSWORD": settings.password,
        "ML_BLOCK_LOCAL_IP": blocked,
        "SSRF_PROTECTION_ENABLED": blocked,
        # Nothing about a demo or a test run goes to third parties.
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
    }
    if settings.files is not None:
        variables["LOCAL_FILES_SERVING_ENABLED"] = "true"
        variables["LOCAL_FILES_DOCUMENT_ROOT"] = str(settings.files)
    if settings.public_url is not None:
        variables["HOST"] = settings.public_url
    return variables


def _await_health(started: LabelStudioProcess, log: Path, waiting: Callable[[], None]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if not started.running:
            raise LabelStudioError(f"Label Studio ended while starting. The end of {log}:\n{_tail(log)}")
        try:
            if httpx.get(f"{started.url}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        waiting()
        time.sleep(0.2)
    raise LabelStudioError(f"Label Studio did not answer within {START_TIMEOUT:.0f} s. The end of {log}:\n{_tail(log)}")


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _signal_group(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
