"""Requests against the real Label Studio, and against sockets that misbehave as no Label Studio can be made to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backend.demo.label_studio import free_port
from backend.errors import LabelStudioError
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection
from backend.labelstudio.transport import Transport
from tests.label_studio import LabelStudioInstance, TestProject

LEGACY = "0" * 40


def test_a_personal_token_works_also_below_a_path(label_studio: LabelStudioInstance, sub_path_url: str) -> None:
    for url in (label_studio.url, label_studio.url + "/", sub_path_url, sub_path_url + "/"):
        with LabelStudio(Connection(url, label_studio.api_key)) as client:
            assert client.uses_personal_token
            assert client.whoami()["email"] == "admin@example.com"
            assert client.version() == "1.23.2"
            assert client.authorization_header()["Authorization"].startswith("Bearer ey")


def test_a_legacy_token_works_also_below_a_path(label_studio: LabelStudioInstance, sub_path_url: str) -> None:
    with LabelStudio(Connection(label_studio.url, LEGACY)) as client, pytest.raises(LabelStudioError) as refused:
        client.whoami()
    assert refused.value.status == 401
    assert "prelabel connect --api-key" in str(refused.value)

    token = label_studio.process.legacy_token()
    for url in (label_studio.url, sub_path_url):
        with LabelStudio(Connection(url, token)) as client:
            assert not client.uses_personal_token
            assert client.whoami()["email"] == "admin@example.com"
            assert client.authorization_header() == {"Authorization": f"Token {token}"}


def test_an_expired_or_forged_personal_token_is_a_sentence(label_studio: LabelStudioInstance) -> None:
    expired = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6MX0.c2ln"
    forged = label_studio.api_key[:-4] + "AAAA"
    for token in (expired, forged):
        with LabelStudio(Connection(label_studio.url, token)) as client:
            with pytest.raises(LabelStudioError, match="does not accept the token") as refused:
                client.whoami()
            assert token not in str(refused.value)


def test_an_access_token_that_the_server_finds_stale_is_renewed(label_studio: LabelStudioInstance) -> None:
    transport = Transport(Connection(label_studio.url, label_studio.api_key))
    transport.get("api/version")
    stale = label_studio.api_key.replace(".", ".", 1)  # a refresh token: well-formed, not expired, and no access token
    sdk = transport._wrapper()
    sdk._tokens_client._set_access_token(stale)

    assert transport.get("api/current-user/whoami")["id"] == 1
    transport.close()


def test_no_token_no_server_and_no_label_studio_are_sentences(label_studio: LabelStudioInstance) -> None:
    cases = {
        Connection(label_studio.url): "There is no token",
        Connection(f"http://127.0.0.1:{free_port()}", LEGACY): "cannot be reached",
        Connection(f"http://127.0.0.1:{free_port()}", label_studio.api_key): "cannot be reached",
        Connection("http://no-such-host.invalid", LEGACY): "cannot be reached",
        Connection(f"{label_studio.url}/nowhere", LEGACY): "LABEL_STUDIO_URL|nothing at|sub-path",
        Connection(f"{label_studio.url}/nowhere", label_studio.api_key): "sub-path|does not accept",
    }
    for connection, expected in cases.items():
        transport = Transport(connection, delays=())
        with LabelStudio(connection, transport=transport) as client, pytest.raises(LabelStudioError, match=expected):
            client.project(1)


def test_what_is_not_there_is_a_sentence_with_its_status(client: LabelStudio) -> None:
    with pytest.raises(LabelStudioError, match="nothing at api/projects/99999/") as missing:
        client.project(99999)
    assert missing.value.status == 404


def test_validation_errors_are_passed_on(client: LabelStudio, project: TestProject) -> None:
    with pytest.raises(LabelStudioError, match="Model version doesn't exist") as refused:
        client.update_project(project.id, model_version="v9")
    assert refused.value.status == 400


def test_busy_servers_are_asked_again_and_how_long_they_say() -> None:
    waits: list[float] = []
    with answering((429, {"retry-after": "7"}), (503, {}), (200, {})) as (url, seen):
        transport = Transport(Connection(url, LEGACY), delays=(0.5, 1.0), sleep=waits.append)
        assert transport.post("api/predictions/", {"task": 1}) == {"n": 3}
        transport.close()
    assert waits == [7.0, 1.0]
    assert seen == ["POST /api/predictions/"] * 3


def test_what_may_have_been_done_is_not_repeated_unless_it_may_be() -> None:
    with answering((500, {}), (200, {})) as (url, seen):
        transport = Transport(Connection(url, LEGACY), delays=(0.0,), sleep=lambda delay: None)
        with pytest.raises(LabelStudioError) as failed:
            transport.post("api/predictions/", {})
        assert failed.value.status == 500
        assert transport.get("api/version") == {"n": 2}
        transport.close()
    assert len(seen) == 2

    with answering((502, {}), (500, {}), (200, {})) as (url, seen):
        transport = Transport(Connection(url, LEGACY), delays=(0.0, 0.0), sleep=lambda delay: None)
        assert transport.patch("api/predictions/1/", {}) == {"n": 3}
        transport.close()


def test_retries_are_bounded() -> None:
    with answering(*[(503, {})] * 9) as (url, seen):
        transport = Transport(Connection(url, LEGACY), delays=(0.0, 0.0), sleep=lambda delay: None)
        with pytest.raises(LabelStudioError) as failed:
            transport.get("api/version")
        transport.close()
    assert failed.value.status == 503
    assert len(seen) == 3


def test_a_locked_database_is_worth_another_attempt() -> None:
    with answering((500, {}, "database is locked"), (200, {})) as (url, _):
        transport = Transport(Connection(url, LEGACY), delays=(0.0,), sleep=lambda delay: None)
        assert transport.post("api/predictions/", {}) == {"n": 2}
        transport.close()


def test_a_server_that_hangs_is_a_sentence() -> None:
    release = threading.Event()
    with answering((200, {}), hang=release.wait) as (url, _):
        transport = Transport(Connection(url, LEGACY), timeout=0.2, delays=())
        with pytest.raises(LabelStudioError, match="did not answer in time"):
            transport.get("api/version")
        release.set()
        transport.close()


def test_a_redirect_is_not_followed_with_the_token() -> None:
    with answering((302, {"location": "http://evil.example/api/version"})) as (url, seen):
        transport = Transport(Connection(url, LEGACY), delays=())
        with pytest.raises(LabelStudioError, match=r"redirects .* to http://evil\.example"):
            transport.get("api/version")
        transport.close()
    assert len(seen) == 1


Reply = tuple[int, dict[str, str]] | tuple[int, dict[str, str], str]


@contextmanager
def answering(*replies: Reply, hang: Callable[[], object] | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server that gives `replies` in turn; yields its address and the requests that it got."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append(f"{self.command} {self.path}")
            if hang is not None:
                hang()
            status, headers, *detail = replies[len(seen) - 1]
            body = json.dumps({"detail": detail[0]} if detail else {"n": len(seen)}).encode()
            self.send_response(status)
            for key, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Tests' output is for tests."""

    for method in ("GET", "POST", "PATCH"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
