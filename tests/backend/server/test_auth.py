"""Who may call what, with and without a password."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from backend.app import create_app
from backend.errors import Unauthorized, Untrusted
from backend.server.auth import Credentials, refuse_other_sites
from backend.settings import Settings
from tests.backend.server.stand_in import StandInServices

USER, PASSWORD, SECRET = "annotator", "pässword:with colon", "hook-secret"
ROUTES = ["/", "/health", "/metrics", "/versions", "/static/status.js", "/nothing"]
POSTS = [
    "/setup",
    "/predict",
    "/webhook",
    "/train",
    "/versions",
    "/job_status",
    "/validate",
    "/delete",
    "/duplicate_model",
]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def locked() -> Credentials:
    return Credentials(Settings(username=USER, password=PASSWORD), lambda: SECRET)


@pytest.mark.parametrize(("method", "path"), [*itertools.product(["GET"], ROUTES), *itertools.product(["POST"], POSTS)])
def test_every_route_wants_the_password(method: str, path: str, tmp_path: Path) -> None:
    services = StandInServices()
    client = TestClient(create_app(Settings(username=USER, password=PASSWORD, data_dir=tmp_path), services))
    answer = client.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert "PRELABEL" not in answer.headers["www-authenticate"]
    assert services.calls == []
    accepted = client.request(method, path, headers={"Authorization": basic(USER, PASSWORD)})
    assert accepted.status_code not in (401, 403)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        basic(USER, "wrong"),
        basic("wrong", PASSWORD),
        basic("", ""),
        basic(USER, PASSWORD + " "),
        f"Bearer {SECRET}",
        "Bearer ",
        "Bearer None",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Basic é",
    ],
)
def test_wrong_credentials_are_refused(locked: Credentials, given: str | None) -> None:
    with pytest.raises(Unauthorized) as refused:
        locked.check(given, "/predict")
    assert PASSWORD not in str(refused.value)


def test_the_scheme_may_be_in_any_case(locked: Credentials) -> None:
    locked.check(basic(USER, PASSWORD).replace("Basic", "bAsIc"), "/predict")


def test_the_webhooks_header_opens_the_webhook_alone(locked: Credentials) -> None:
    locked.check(f"Bearer {SECRET}", "/webhook")
    locked.check(basic(USER, PASSWORD), "/webhook")
    for path in ("/predict", "/delete", "/"):
        with pytest.raises(Unauthorized):
            locked.check(f"Bearer {SECRET}", path)


@pytest.mark.parametrize("given", ["Bearer ", "Bearer None", "Bearer"])
@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_secret_no_header_opens_the_webhook(secret: str | None, given: str) -> None:
    with pytest.raises(Unauthorized):
        Credentials(Settings(username=USER, password=PASSWORD), lambda: secret).check(given, "/webhook")


def test_a_renewed_secret_holds_at_once() -> None:
    secrets = iter(["old", "new"])
    credentials = Credentials(Settings(username=USER, password=PASSWORD), lambda: next(secrets))
    credentials.check("Bearer old", "/webhook")
    credentials.check("Bearer new", "/webhook")


def test_without_a_password_everybody_may() -> None:
    Credentials(Settings(), lambda: SECRET).check(None, "/delete")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:3000", "http://localhost:9090.evil.example"]
)
def test_a_page_of_another_site_changes_nothing(origin: str) -> None:
    headers = Headers({"origin": origin, "host": "localhost:9090"})
    with pytest.raises(Untrusted):
        refuse_other_sites("POST", headers)
    refuse_other_sites("GET", headers)


def test_our_own_page_and_programs_may_post() -> None:
    refuse_other_sites("POST", Headers({"origin": "https://Prelabel.local", "host": "prelabel.local"}))
    refuse_other_sites("POST", Headers({"host": "prelabel.local"}))


def test_another_sites_post_reaches_no_service(client: TestClient, services: StandInServices) -> None:
    answer = client.post("/delete", json={"project": "1.1"}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "evil.example" in answer.json()["error"]
    assert services.calls == []
