"""Bodies are bounded, whether they say how long they are or not."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from backend.app import create_app
from backend.settings import Settings
from tests.backend.server.running import running
from tests.backend.server.stand_in import UID, StandInServices


def test_a_body_over_the_limit_is_413(client: TestClient, services: StandInServices) -> None:
    limit_to(client, 1000)
    answer = client.post("/predict", json={"tasks": [{"data": {"text": "x" * 1000}}], "project": UID})
    assert answer.status_code == 413
    assert "1000 bytes" in answer.json()["error"]
    assert services.calls == []


def test_a_body_that_hides_its_length_is_413(client: TestClient) -> None:
    limit_to(client, 1000)

    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    assert client.post("/predict", content=chunks()).status_code == 413


def test_a_body_at_the_limit_is_read(client: TestClient) -> None:
    body = b'{"tasks": []}'
    limit_to(client, len(body))
    assert client.post("/predict", content=body).status_code == 200


def test_a_client_that_leaves_half_way_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    services = StandInServices()
    with caplog.at_level(logging.INFO), running(create_app(Settings(), services)) as address:
        host, port = address.removeprefix("http://").split(":")
        with closing(socket.create_connection((host, int(port)))) as client:
            client.sendall(b'POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"tasks"')
        assert httpx.get(f"{address}/health").status_code == 200
    messages = [record.message for record in caplog.records if record.name == "backend.server.errors"]
    assert messages == ["POST /predict: the client left before its request was complete."]
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert services.calls == []


def limit_to(client: TestClient, size: int) -> None:
    app = client.app
    assert isinstance(app, FastAPI)
    app.state.max_body_bytes = size
