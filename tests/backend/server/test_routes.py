"""The protocol as Label Studio speaks it: what each route passes on, and what it answers."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from backend.jobs.view import JobKind, JobState, JobView
from backend.labelstudio.webhook import PROJECT_HEADER
from tests.backend.server.stand_in import CONFIG, UID, Outcome, StandInServices, project_status


def test_health_asks_nobody(client: TestClient, services: StandInServices) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "UP", "model_class": "Prelabel"})
    assert client.head("/health").status_code == 200
    assert services.calls == []


def test_setup_answers_with_the_version(client: TestClient, services: StandInServices) -> None:
    body = {
        "project": UID,
        "schema": CONFIG,
        "hostname": "http://localhost:8080",
        "access_token": "secret",
        "extra_params": {"a": 1},
    }
    answer = client.post("/setup", json=body)
    assert (answer.status_code, answer.json()) == (200, {"model_version": "v3"})
    assert services.calls == [("setup", UID, CONFIG, "http://localhost:8080", {"a": 1})]


def test_setup_without_extra_params(client: TestClient, services: StandInServices) -> None:
    body = {"project": UID, "schema": CONFIG, "hostname": "", "access_token": None, "extra_params": None}
    assert client.post("/setup", json=body).status_code == 200
    assert services.calls == [("setup", UID, CONFIG, "", None)]


def test_predict_answers_one_entry_a_task(client: TestClient, services: StandInServices) -> None:
    tasks = [{"id": 1, "data": {"text": "a"}}, 7, {"id": 2}]
    context = {"result": []}
    body = {"tasks": tasks, "project": UID, "label_config": CONFIG, "params": {"login": "", "context": context}}
    answer = client.post("/predict", json=body).json()
    assert len(answer["results"]) == 3
    assert answer["model_version"] == "v3"
    assert services.calls == [("predict", UID, CONFIG, tasks, context)]


def test_predict_of_nothing_answers_nothing(client: TestClient) -> None:
    answer = client.post("/predict", json={"tasks": [], "project": UID, "label_config": CONFIG})
    assert answer.json() == {"results": [], "model_version": "v3"}
    assert client.post("/predict", json={"tasks": []}).json() == {"results": [], "model_version": None}


def test_predict_names_the_version_that_answered(client: TestClient, services: StandInServices) -> None:
    answer = client.post("/predict", json={"tasks": [{"id": 1, "data": {}}], "project": UID}).json()
    assert answer["model_version"] == answer["results"][0]["model_version"]
    assert not any(call[0] == "model_version" for call in services.calls)


def test_webhook_passes_the_whole_event_on(client: TestClient, services: StandInServices) -> None:
    body: dict[str, Any] = {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": 3},
        "project": {"id": 1},
        "task": {"id": 2},
    }
    answer = client.post("/webhook", json=body)
    assert answer.status_code == 201
    assert answer.json() == {"status": "accepted", "message": "noted", "job": "train-1_1795149789"}
    assert services.calls == [("event", "ANNOTATION_CREATED", body)]


def test_webhook_takes_the_project_from_the_header_where_an_event_has_none(
    client: TestClient, services: StandInServices
) -> None:
    headers = {PROJECT_HEADER: "7 2026-11-20T06:27:00.123456Z"}
    assert client.post("/webhook", json={"action": "ANNOTATION_CREATED"}, headers=headers).status_code == 201
    project = {"id": 7, "created_at": "2026-11-20T06:27:00.123456Z"}
    assert services.calls == [("event", "ANNOTATION_CREATED", {"action": "ANNOTATION_CREATED", "project": project})]

    told = {"action": "PROJECT_UPDATED", "project": {"id": 1}}
    client.post("/webhook", json=told, headers=headers)
    assert services.calls[-1] == ("event", "PROJECT_UPDATED", told)
    odd = client.post("/webhook", json={"action": "ANNOTATION_CREATED"}, headers={PROJECT_HEADER: "../../x"})
    assert odd.status_code == 400


def test_webhook_takes_a_project_without_annotation(client: TestClient, services: StandInServices) -> None:
    services.outcome = Outcome(False, "Project 1 was never set up here.")
    answer = client.post("/webhook", json={"action": "START_TRAINING", "project": {"id": 1}})
    assert answer.status_code == 201
    # Label Studio stores `job` where there is one: a null would become a job called None.
    assert answer.json() == {"status": "ignored", "message": "Project 1 was never set up here."}


def test_train_answers_with_the_job(client: TestClient, services: StandInServices) -> None:
    answer = client.post("/train", json={"project": UID, "annotations": [], "label_config": CONFIG, "params": {}})
    assert (answer.status_code, answer.json()["job"]) == (201, "train-1_1795149789")


def test_job_status_uses_the_states_that_label_studio_reads(client: TestClient, services: StandInServices) -> None:
    view = JobView(
        "train-1", UID, JobKind.TRAIN, JobState.STARTED, stage="fitting", fraction=0.5, traceback="Traceback ..."
    )
    services.queue.known["train-1"] = view
    answer = client.post("/job_status", json={"job": "train-1"}).json()
    assert answer["job_status"] == "started"
    assert (answer["stage"], answer["fraction"]) == ("fitting", 0.5)
    assert "traceback" not in answer


def test_a_job_that_is_gone_is_410(client: TestClient) -> None:
    answer = client.post("/job_status", json={"job": "train-9"})
    assert answer.status_code == 410
    assert "train-9" in answer.json()["error"]


def test_versions_of_one_project(client: TestClient) -> None:
    assert client.post("/versions", json={"project": UID}).json() == {"versions": ["v1", "v2", "v10"]}
    assert client.get("/versions", params={"project": UID}).json() == {"versions": ["v1", "v2", "v10"]}


def test_versions_without_project_as_label_studio_asks(client: TestClient, services: StandInServices) -> None:
    assert client.get("/versions").json() == {"versions": [], "projects": {}}
    services.projects = [project_status()]
    answer = client.get("/versions").json()
    assert answer == {"versions": ["v1", "v2", "v10"], "projects": {UID: ["v1", "v2", "v10"]}}


def test_versions_are_moved_by_hand(client: TestClient, services: StandInServices) -> None:
    path = f"/api/projects/{UID}"
    assert client.get(f"{path}/versions").json()["current"] == "v3"
    assert client.post(f"{path}/rollback", json={}).json()["version"] == "v2"
    assert client.post(f"{path}/pin", json={"version": "v1"}).json()["version"] == "v1"
    assert services.calls[1:] == [("move", UID, "rollback", None), ("move", UID, "pin", "v1")]
    assert client.post(f"{path}/launch", json={}).status_code == 400
    assert client.post(f"{path}/pin", json={"version": 3}).status_code == 400


def test_validate_names_controls(client: TestClient) -> None:
    answer = client.post("/validate", json={"config": CONFIG})
    assert answer.status_code == 200
    assert answer.json()["controls"] == [{"name": "topic", "tag": "Choices", "to_name": "text"}]


def test_delete_and_duplicate(client: TestClient, services: StandInServices) -> None:
    assert client.post("/delete", json={"project": UID}).status_code == 200
    assert client.post("/duplicate_model", json={"project_src": UID, "project_dst": "2.1795149790"}).status_code == 200
    assert services.calls == [("delete", UID), ("duplicate", UID, "2.1795149790")]


def test_root_is_json_for_programs(client: TestClient, services: StandInServices) -> None:
    services.projects = [project_status()]
    for accept in ("*/*", "application/json"):
        answer = client.get("/", headers={"Accept": accept})
        assert (answer.status_code, answer.json()["status"]) == (200, "UP")
        assert answer.json()["projects"][0]["title"] == "Support tickets"
        assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("text", ["\ud800", 'quotes " and <tags>', "😀"])
def test_any_text_can_be_answered(client: TestClient, services: StandInServices, text: str) -> None:
    services.projects = [project_status(title=text)]
    assert client.get("/").json()["projects"][0]["title"] == text


def test_services_start_and_stop_with_the_app(client: TestClient, services: StandInServices) -> None:
    assert services.running
    client.__exit__()
    assert not services.running
    client.__enter__()
