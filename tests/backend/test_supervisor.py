"""Real processes: what dies is started again, and nothing is left behind, however the end comes."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from backend.embedded_redis import EmbeddedRedis
from backend.supervisor import Child, Forked, GaveUp, Process, Supervisor


class Pid(BaseHTTPRequestHandler):
    """Answers its process id."""

    def do_GET(self) -> None:
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the test's output is no log."""


def answer_pid(listening: socket.socket) -> None:
    server = HTTPServer(("127.0.0.1", 0), Pid, bind_and_activate=False)
    server.socket = listening
    server.server_activate()
    server.serve_forever()


def supervise(folder: str, port: int) -> None:
    listening = socket.create_server(("127.0.0.1", port), reuse_port=False)
    embedded = EmbeddedRedis(Path(folder))

    def note(pid: int | None) -> None:
        with Path(folder, "pids").open("a") as pids:
            pids.write(f"{pid}\n")

    def start_redis() -> Process:
        process = embedded.start()
        note(process.pid)
        return process

    def start_server() -> Process:
        process = Forked("server", lambda: answer_pid(listening))
        note(process.pid)
        return process

    Supervisor([Child("Redis", start_redis), Child("server", start_server)]).run()


@dataclass
class Running:
    """A supervisor process, and where its children say who they are."""

    process: SpawnProcess
    port: int
    folder: Path

    def ask(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/")
            return int(connection.getresponse().read())
        finally:
            connection.close()

    def pids(self) -> list[int]:
        return [int(line) for line in (self.folder / "pids").read_text().split()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=supervise, args=(str(tmp_path), port))
    process.start()
    made = Running(process, port, tmp_path)
    until(lambda: (tmp_path / "pids").exists() and len(made.pids()) == 2)
    yield made
    process.kill()
    process.join()


def test_killed_server_comes_back_and_requests_wait_for_it(running: Running) -> None:
    first = running.ask()
    os.kill(first, signal.SIGKILL)
    until(lambda: gone(first))
    assert running.ask() != first


def test_killed_redis_comes_back_at_the_same_address(running: Running) -> None:
    url = (running.folder / "url").read_text()
    redis = running.pids()[0]
    os.kill(redis, signal.SIGKILL)
    until(lambda: len(running.pids()) == 3)
    assert (running.folder / "url").read_text() == url


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stop_leaves_no_process(running: Running, how: signal.Signals) -> None:
    children = running.pids()
    running.ask()
    assert running.process.pid is not None
    os.kill(running.process.pid, how)
    running.process.join(10.0)
    assert running.process.exitcode == 0
    assert all(gone(pid) for pid in children)


def test_killed_supervisor_leaves_no_process(running: Running) -> None:
    children = running.pids()
    running.process.kill()
    running.process.join()
    until(lambda: all(gone(pid) for pid in children))


def _supervise_in_child(children: Callable[[], list[Child]], said: str) -> None:
    try:
        Supervisor(children()).run()
    except GaveUp as error:
        Path(said).write_text(str(error))


def failing_child() -> list[Child]:
    def start() -> Process:
        return subprocess.Popen(["false"])

    return [Child("broken", start)]


def finishing_child() -> list[Child]:
    def start() -> Process:
        return subprocess.Popen(["true"])

    return [Child("setup", start, once=True)]


def failing_once() -> list[Child]:
    children = failing_child()
    children[0].once = True
    return children


@pytest.mark.parametrize(("children", "times"), [(failing_child, 5), (failing_once, 1)])
def test_child_that_does_not_start_ends_everything(
    tmp_path: Path, children: Callable[[], list[Child]], times: int
) -> None:
    said = tmp_path / "said"
    process = multiprocessing.get_context("spawn").Process(target=_supervise_in_child, args=(children, str(said)))
    process.start()
    process.join(30.0)
    assert process.exitcode == 0
    assert f"process ended with exit status 1, {times} times in a row" in said.read_text()


def test_child_that_runs_once_may_end(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_supervise_in_child, args=(finishing_child, str(tmp_path / "said"))
    )
    process.start()
    process.join(2.0)
    assert process.is_alive()
    process.terminate()
    process.join(10.0)
    assert process.exitcode == 0
    assert not (tmp_path / "said").exists()
