"""Requests that are none: each a 4xx that says what came, what was wanted and what to do."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.backend.bad_input.serving import GOOD, TEXT_CONFIG, TEXTS, Backend

pytestmark = pytest.mark.usefixtures("after")

ROUTES = (
    "/setup",
    "/predict",
    "/webhook",
    "/train",
    "/versions",
    "/job_status",
    "/validate",
    "/delete",
    "/duplicate_model",
)
NO_XML = {
    "text": "no XML at all",
    "cut short": "<View><Text",
    "empty": " ",
    "two roots": "<View/><View/>",
    "a DTD": '<!DOCTYPE v [<!ENTITY a SYSTEM "file:///etc/passwd">]><View>&a;</View>',
    "a bomb": '<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><View>&b;</View>',
    "a lone surrogate": "<View>\ud800</View>",
    "deep": "<View>" * 5000 + "</View>" * 5000,
}
NOTHING_TRAINABLE = {
    "no control": '<View><Text name="text" value="$text"/></View>',
    "a control of another kind": '<View><Text name="t" value="$text"/><TextArea name="a" toName="t"/></View>',
    "no label": '<View><Text name="t" value="$text"/><Choices name="a" toName="t"/></View>',
    "no object": '<View><Choices name="a" toName="t"><Choice value="A"/></Choices></View>',
    "a path as weights": TEXT_CONFIG.replace('toName="text"', 'toName="text" model_path="../../etc/passwd"'),
    "a threshold that is none": TEXT_CONFIG.replace('toName="text"', 'toName="text" model_score_threshold="high"'),
}
FORGED = (
    "../../x",
    "..",
    "1",
    "1.",
    ".5",
    "",
    "1.5/../../x",
    "1.5\n",
    "-1.5",
    "0.5",
    "1.2.3",
    "1" * 300 + ".5",
    "１.５",
)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1,", b"\xff\xfe", b'{"tasks": NaN}', b"[" * 100_000, b'"text"', b"null"]
)
def test_malformed_json(backend: Backend, route: str, body: bytes) -> None:
    backend.refused(backend.client.post(route, content=body), "body")


@pytest.mark.parametrize(
    ("route", "body", "place"),
    [
        ("/predict", {"project": TEXTS, "label_config": TEXT_CONFIG}, "tasks: missing, and required"),
        ("/predict", {"tasks": None, "project": TEXTS}, "tasks: got null, wanted an array"),
        ("/predict", {"tasks": {"id": 1}, "project": TEXTS}, "tasks: got an object, wanted an array"),
        ("/predict", {"tasks": [GOOD], "project": 1}, "project: got a number, wanted a string"),
        ("/predict", {"tasks": [GOOD], "project": TEXTS, "label_config": 5}, "label_config: got a number"),
        ("/predict", {"tasks": [GOOD], "project": TEXTS, "params": []}, "params: got an array"),
        ("/predict", {"tasks": [GOOD], "project": TEXTS, "params": {"context": "x"}}, "params.context: got a string"),
        ("/predict", {"tasks": [GOOD]}, "neither project nor label_config"),
        ("/setup", {"project": TEXTS}, "schema: missing, and required"),
        ("/setup", {"project": TEXTS, "schema": {}}, "schema: got an object, wanted a string"),
        ("/setup", {"project": TEXTS, "schema": TEXT_CONFIG, "hostname": 5}, "hostname: got a number"),
        ("/webhook", {}, "action: missing, and required"),
        ("/webhook", {"action": ["ANNOTATION_CREATED"]}, "action: got an array, wanted a string"),
        ("/webhook", {"action": "ANNOTATION_CREATED", "project": "1"}, "project: got a string, wanted an object"),
        ("/webhook", {"action": "ANNOTATION_CREATED", "project": {"id": "1"}}, "project.id: got a string"),
        (
            "/webhook",
            {"action": "ANNOTATION_CREATED", "project": {"id": 1}, "annotation": 7},
            "annotation: got a number",
        ),
        (
            "/webhook",
            {"action": "PROJECT_UPDATED", "project": {"id": 1, "created_at": "soon"}},
            "created_at: got 'soon'",
        ),
        ("/webhook", {"action": "PROJECT_UPDATED", "project": {"id": -1, "created_at": "2026-01-01T00:00:00Z"}}, "got"),
        ("/train", {"project": None}, "project: got null, wanted a string"),
        ("/versions", {}, "project: missing, and required"),
        ("/job_status", {"job": 1}, "job: got a number, wanted a string"),
        ("/validate", {}, "config: missing, and required"),
        ("/delete", {"project": True}, "project: got a boolean, wanted a string"),
        ("/duplicate_model", {"project_src": TEXTS}, "project_dst: missing, and required"),
    ],
)
def test_wrong_types_and_missing_keys(backend: Backend, route: str, body: Any, place: str) -> None:
    backend.refused(backend.post(route, body), place)


@pytest.mark.parametrize("config", [*NO_XML.values(), *NOTHING_TRAINABLE.values()], ids=[*NO_XML, *NOTHING_TRAINABLE])
def test_a_config_that_is_no_xml_or_has_nothing_trainable(backend: Backend, config: str) -> None:
    known = backend.client.get("/").json()["projects"]
    for route, body in (
        ("/setup", {"project": "77.1795149789", "schema": config, "hostname": ""}),
        ("/predict", {"project": "77.1795149789", "label_config": config, "tasks": [GOOD]}),
        ("/validate", {"config": config}),
    ):
        if route == "/predict" and not config.strip():
            continue  # as good as none, which the recorded config stands in for
        backend.refused(backend.post(route, body))
    assert backend.client.get("/").json()["projects"] == known


def tree(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.mark.parametrize("uid", FORGED)
def test_a_project_id_that_is_none(backend: Backend, uid: str) -> None:
    before = tree(backend.folder)
    for route, body in (
        ("/setup", {"project": uid, "schema": TEXT_CONFIG}),
        ("/predict", {"project": uid, "label_config": TEXT_CONFIG, "tasks": [GOOD]}),
        ("/train", {"project": uid}),
        ("/versions", {"project": uid}),
        ("/delete", {"project": uid}),
        ("/duplicate_model", {"project_src": TEXTS, "project_dst": uid}),
        ("/duplicate_model", {"project_src": uid, "project_dst": TEXTS}),
    ):
        backend.refused(backend.post(route, body), "project", "got")
    backend.refused(backend.client.get("/versions", params={"project": uid}), "project")
    assert tree(backend.folder) == before


@pytest.mark.parametrize("route", ["/train", "/predict", "/delete"])
def test_a_project_that_was_never_set_up(backend: Backend, route: str) -> None:
    body = {"project": "78.1795149789", "tasks": [GOOD]}
    answer = backend.post(route, body)
    if route == "/delete":  # what is not there is deleted
        assert answer.status_code == 200
    else:
        backend.refused(answer, "was never set up here", "prelabel connect", status=404)


def test_a_job_that_is_none(backend: Backend) -> None:
    for job in ("x", "train-78_1795149789", "../x", "rq:job:x"):
        backend.refused(backend.post("/job_status", {"job": job}), "job", status=410)
    backend.refused(backend.post("/job_status", {"job": "\ud800"}), "job: got a string, wanted a string that UTF-8")


@pytest.mark.parametrize(
    "event",
    [
        {"action": "NOBODY_KNOWS_THIS", "project": {"id": 1}},
        {"action": "ANNOTATION_CREATED", "project": {"id": 79}},
        {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 10**30}, {}]},
        {"action": "ANNOTATION_CREATED"},
    ],
)
def test_an_event_that_says_nothing_is_a_2xx(backend: Backend, event: Any) -> None:
    answer = backend.post("/webhook", event)
    assert answer.status_code == 201
    assert answer.json()["message"].endswith(".")


def test_a_body_without_end_is_not_read(backend: Backend) -> None:
    address = urlsplit(str(backend.client.base_url))
    head = f"POST /predict HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {10**12}\r\n\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        connection.sendall(head.encode() + b'{"tasks": [')
        answer = connection.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 413 ")
    assert "at most" in answer


def test_a_caller_that_leaves_in_the_middle(backend: Backend) -> None:
    address = urlsplit(str(backend.client.base_url))
    head = f"POST /predict HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        connection.sendall(head.encode() + b'{"tasks": [')


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/predict", 405), ("POST", "/health", 405), ("GET", "/x", 404)]
)
def test_a_path_or_method_that_is_none(backend: Backend, method: str, path: str, status: int) -> None:
    backend.refused(backend.client.request(method, path), path, status=status)
