"""Whoever is not ours: another Label Studio's name in `/setup`, another site's page, a wrong password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.embedded_redis import EmbeddedRedis
from backend.labelstudio.connection import recall
from tests.backend.bad_input.serving import IMAGES, TEXT_CONFIG, TEXTS, Backend, serving
from tests.backend.labelstudio.media.conftest import Web

HOME = "http://localhost:8080"


def setup(hostname: str) -> dict[str, str]:
    return {"project": TEXTS, "schema": TEXT_CONFIG, "hostname": hostname, "access_token": "a token"}


def assert_pinned(backend: Backend) -> None:
    connection = recall(backend.services.settings)
    assert connection is not None
    assert (connection.url, connection.api_key) == (HOME, "the key")


@pytest.fixture
def pinned(tmp_path: Path, taught: Path, redis_url: str, redis_server: EmbeddedRedis) -> Iterator[Backend]:
    """A server that the operator has told which Label Studio is its own."""
    with serving(tmp_path, taught, redis_url, label_studio_url=HOME, label_studio_api_key="the key") as backend:
        yield backend


@pytest.mark.parametrize(
    "hostname",
    [
        "http://elsewhere.example:8080",
        "https://localhost.elsewhere.example",
        "http://localhost@elsewhere.example",
        "http://10.0.0.5:8080",
        "file:///etc/passwd",
        "elsewhere.example",
        "javascript:alert(1)",
        "http://",
    ],
)
def test_a_forged_hostname_is_refused(pinned: Backend, hostname: str) -> None:
    pinned.refused(pinned.post("/setup", setup(hostname)), "hostname: got", status=403)
    assert_pinned(pinned)
    pinned.works()


def test_a_name_of_this_machine_passes_and_is_neither_believed_nor_called(pinned: Backend, private: Web) -> None:
    """A Label Studio that was never told its address calls itself by such a name."""
    assert pinned.post("/setup", setup(private.url)).status_code == 200
    assert_pinned(pinned)
    pinned.predict([{"id": 1, "data": {"image": "/data/upload/1/x.png"}}], IMAGES)
    assert private.seen == []


@pytest.mark.parametrize("hostname", ["", HOME, "http://127.0.0.1:8080/", "http://localhost:9999"])
def test_the_pinned_one_under_its_own_names_passes(pinned: Backend, hostname: str) -> None:
    assert pinned.post("/setup", setup(hostname)).json() == {"model_version": "v1"}


def test_the_first_hostname_is_believed_and_no_other(tmp_path: Path, taught: Path, redis_url: str) -> None:
    with serving(tmp_path, taught, redis_url) as backend:
        assert backend.post("/setup", setup("http://first.example")).status_code == 200
        backend.refused(backend.post("/setup", setup("http://second.example")), "http://first.example", status=403)
        backend.works()


def test_no_hostname_is_believed_where_anybody_may_call(tmp_path: Path, taught: Path, redis_url: str) -> None:
    with serving(tmp_path, taught, redis_url, host="0.0.0.0") as backend:
        backend.refused(backend.post("/setup", setup("http://first.example")), "prelabel connect", status=403)
        assert recall(backend.services.settings) is None
        backend.works()


def test_a_page_of_another_site_changes_nothing(pinned: Backend) -> None:
    answer = pinned.client.post("/delete", json={"project": TEXTS}, headers={"Origin": "https://elsewhere.example"})
    pinned.refused(answer, "elsewhere.example", status=403)
    pinned.works()


@pytest.mark.parametrize("credentials", [None, ("me", "wrong"), ("", ""), ("mé", "gehéim"), ("me", "x" * 10_000)])
def test_a_wrong_password(tmp_path: Path, taught: Path, redis_url: str, credentials: tuple[str, str] | None) -> None:
    with serving(tmp_path, taught, redis_url, username="me", password="geheim") as backend:
        for path in ("/health", "/", "/metrics", "/versions", "/static/mark.svg"):
            backend.refused(backend.client.get(path, auth=credentials), "credentials", status=401)
        answer = backend.client.post("/predict", json={"tasks": []}, auth=credentials)
        backend.refused(answer, "credentials", status=401)
        backend.client.auth = ("me", "geheim")
        backend.works()
