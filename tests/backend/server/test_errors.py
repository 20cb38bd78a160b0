"""Whatever goes wrong is answered with a status and a sentence, never with a traceback."""

from __future__ import annotations

import logging

import pytest
from starlette.testclient import TestClient

from backend import errors
from backend.server.errors import STATUS, answer_error
from tests.backend.server.stand_in import CONFIG, UID, StandInServices


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequest("s"), 400),
        (errors.InvalidConfig("s"), 400),
        (errors.Unauthorized("s"), 401),
        (errors.Untrusted("s"), 403),
        (errors.UnknownProject("s"), 404),
        (errors.UnknownVersion("s"), 404),
        (errors.UnknownJob("s"), 410),
        (errors.NothingToLearn("s"), 409),
        (errors.Superseded("s"), 409),
        (errors.MediaError("s"), 422),
        (errors.LabelStudioError("s", 500), 502),
        (errors.QueueUnavailable("s"), 503),
        (errors.StoreError("s"), 503),
        (errors.PrelabelError("s"), 500),
    ],
)
def test_each_domain_error_has_its_status(
    client: TestClient, services: StandInServices, error: errors.PrelabelError, status: int
) -> None:
    services.errors["train"] = error
    answer = client.post("/train", json={"project": UID})
    assert answer.status_code == status
    assert answer.json() == {"error": "s", "status": status}


def test_every_domain_error_is_mapped() -> None:
    leaves = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PrelabelError)
    }
    unmapped = leaves - set(STATUS) - {errors.MediaError}  # answered as the TaskUnusable that it is
    assert unmapped == set()


def test_what_nobody_expected_gives_a_reference_and_no_traceback(
    client: TestClient, services: StandInServices, caplog: pytest.LogCaptureFixture
) -> None:
    services.errors["train"] = ZeroDivisionError("a secret detail")
    with caplog.at_level(logging.ERROR, logger="backend.server.errors"):
        answer = client.post("/train", json={"project": UID})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    record = next(record for record in caplog.records if record.name == "backend.server.errors")
    assert record.args is not None
    assert str(record.args[-1]) in answer.json()["error"]
    assert record.exc_info is not None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1, 2", b"\xff\xfe", b"[" * 100_000, b'{"project": NaN}', b'{"project": ' + b"9" * 5000 + b"}"],
)
@pytest.mark.parametrize("route", ["/setup", "/predict", "/webhook", "/train", "/versions", "/validate"])
def test_malformed_json_is_400(client: TestClient, route: str, body: bytes) -> None:
    answer = client.post(route, content=body)
    assert answer.status_code == 400
    assert len(answer.json()["error"].split()) > 3
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("route", "body", "named"),
    [
        ("/setup", {"schema": CONFIG}, "project"),
        ("/setup", {"project": 1, "schema": CONFIG}, "project"),
        ("/setup", {"project": UID, "schema": None}, "schema"),
        ("/setup", [], "body"),
        ("/predict", {"project": UID}, "tasks"),
        ("/predict", {"tasks": "all"}, "tasks"),
        ("/predict", {"tasks": [], "params": 3}, "params"),
        ("/webhook", {"project": {"id": 1}}, "action"),
        ("/webhook", {"action": 3}, "action"),
        ("/train", {}, "project"),
        ("/versions", {"project": None}, "project"),
        ("/job_status", {}, "job"),
        ("/validate", {"config": 5}, "config"),
        ("/delete", {}, "project"),
        ("/duplicate_model", {"project_src": UID}, "project_dst"),
    ],
)
def test_wrong_types_name_the_place(
    client: TestClient, services: StandInServices, route: str, body: object, named: str
) -> None:
    answer = client.post(route, json=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert services.calls == []


@pytest.mark.parametrize("config", ["not xml", "<View/>", "<View><Text name='t' value='$t'/></View>"])
def test_a_config_without_anything_to_learn_is_refused(client: TestClient, config: str) -> None:
    answer = client.post("/validate", json={"config": config})
    assert answer.status_code == 400
    assert "<View>" in answer.json()["error"]


def test_an_unknown_project_is_404(client: TestClient) -> None:
    assert client.post("/versions", json={"project": "2.1795149789"}).status_code == 404


@pytest.mark.parametrize("project", ["../../x", "1", "1.2.3", ""])
def test_a_forged_project_is_400(client: TestClient, project: str) -> None:
    assert client.get("/versions", params={"project": project}).status_code == 400


def test_an_unknown_path_and_a_wrong_method(client: TestClient) -> None:
    assert client.get("/nothing").status_code == 404
    assert "/nothing" in client.get("/nothing").json()["error"]
    answer = client.get("/setup")
    assert (answer.status_code, "GET" in answer.json()["error"]) == (405, True)


def test_unavailable_services_say_when_to_come_back() -> None:
    assert answer_error(errors.QueueUnavailable("s")).headers["retry-after"] == "5"
