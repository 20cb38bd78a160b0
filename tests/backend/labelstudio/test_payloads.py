from __future__ import annotations

from typing import Any

import pytest

from backend.errors import InvalidRequest, TaskUnusable
from backend.labelstudio.payloads import (
    DuplicateRequest,
    JobStatusRequest,
    Payload,
    PredictRequest,
    SetupRequest,
    TrainRequest,
    ValidateRequest,
    VersionsRequest,
    WebhookEvent,
    parse,
    read_json,
    read_task,
)


class TestJson:
    def test_an_object(self) -> None:
        assert read_json(b'{"a": ["\xc3\xa9", 1, null]}') == {"a": ["é", 1, None]}

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            (b"", "should be JSON, got nothing"),
            (b"{", "should be JSON, got something else: .*char 1"),
            (b"tasks=1", "should be JSON"),
            (b"\xff\xff{}", "not UTF-8"),
            (b"[NaN]", "NaN is no JSON number"),
            (b"[" * 100_000, "nests arrays or objects too deep"),
        ],
    )
    def test_malformed(self, body: bytes, sentence: str) -> None:
        with pytest.raises(InvalidRequest, match=sentence):
            read_json(body)


class TestRequests:
    def test_setup_as_label_studio_sends_it(self) -> None:
        body = {
            "project": "1.1795149789",
            "schema": "<View/>",
            "hostname": "http://localhost:8080",
            "access_token": "secret",
            "extra_params": None,
            "key of a later release": 1,
        }
        request = parse(SetupRequest, body)
        assert (request.project, request.label_config, request.hostname) == (
            "1.1795149789",
            "<View/>",
            "http://localhost:8080",
        )
        assert "secret" not in repr(request)

    def test_predict_as_label_studio_sends_it(self) -> None:
        params = {"login": "", "password": "", "context": None}
        body = {"tasks": [{"id": 1}, 5], "project": "1.1", "label_config": "<View/>", "params": params}
        request = parse(PredictRequest, body)
        assert request.tasks == [{"id": 1}, 5]
        assert request.context is None
        assert parse(PredictRequest, {"tasks": [], "params": {"context": {"result": []}}}).context == {"result": []}

    def test_the_least_that_a_predict_may_hold(self) -> None:
        assert parse(PredictRequest, {"tasks": []}).tasks == []

    @pytest.mark.parametrize(
        ("kind", "body", "sentence"),
        [
            (PredictRequest, [], "the body: got an array, wanted an object."),
            (PredictRequest, None, "the body: got null, wanted an object."),
            (PredictRequest, {}, "tasks: missing, and required."),
            (PredictRequest, {"tasks": None}, "tasks: got null, wanted an array."),
            (PredictRequest, {"tasks": {"id": 1}}, "tasks: got an object, wanted an array."),
            (PredictRequest, {"tasks": [], "project": 1.5}, "project: got a number, wanted a string."),
            (PredictRequest, {"tasks": [], "params": []}, "params: got an array, wanted an object."),
            (
                PredictRequest,
                {"tasks": [], "params": {"context": 1}},
                "params.context: got a number, wanted an object.",
            ),
            (SetupRequest, {"project": "1.1"}, "schema: missing, and required."),
            (
                SetupRequest,
                {"project": True, "schema": 3},
                "project: got a boolean, wanted a string; schema: got a number, wanted a string.",
            ),
            (SetupRequest, {"project": "", "schema": ""}, "project: got an empty string, wanted a name."),
            (TrainRequest, {"project": "1" * 201}, "project: got 201 characters, wanted at most 200."),
            (VersionsRequest, {}, "project: missing, and required."),
            (JobStatusRequest, {"job": None}, "job: got null, wanted a string."),
            (ValidateRequest, {"config": {}}, "config: got an object, wanted a string."),
            (DuplicateRequest, {"project_src": "1.1"}, "project_dst: missing, and required."),
            (WebhookEvent, {}, "action: missing, and required."),
            (WebhookEvent, {"action": 1}, "action: got a number, wanted a string."),
            (WebhookEvent, {"action": "A", "project": 1}, "project: got a number, wanted an object."),
            (WebhookEvent, {"action": "A", "project": {}}, "project.id: missing, and required."),
            (WebhookEvent, {"action": "A", "project": {"id": "1"}}, "project.id: got a string, wanted a whole number."),
            (WebhookEvent, {"action": "A", "tasks": [{}, 1]}, "tasks[1]: got a number, wanted an object."),
            (WebhookEvent, {"action": "A", "annotation": "x"}, "annotation: got a string, wanted an array."),
        ],
    )
    def test_another_shape_is_a_sentence_with_the_path(self, kind: type[Payload], body: Any, sentence: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            parse(kind, body)
        assert str(caught.value) == sentence

    def test_only_the_first_problems_are_named(self) -> None:
        with pytest.raises(InvalidRequest, match=r"tasks\[4\]: .*; 95 more problems\.$"):
            parse(WebhookEvent, {"action": "A", "tasks": [1] * 100})

    def test_values_are_not_repeated(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            parse(SetupRequest, {"project": "1.1", "schema": "", "access_token": ["secret"]})
        assert "secret" not in str(caught.value)


class TestEvents:
    def test_an_annotation(self) -> None:
        event = parse(
            WebhookEvent,
            {
                "action": "ANNOTATION_CREATED",
                "annotation": {"id": 5, "result": []},
                "task": {"id": 3},
                "project": {"id": 1, "created_at": "2026-11-20T06:00:00Z", "title": "T", "label_config": "<View/>"},
            },
        )
        assert (event.task_ids, event.annotation_ids) == ((3,), (5,))
        assert event.project is not None
        assert event.project.created_at == "2026-11-20T06:00:00Z"

    def test_several_at_once(self) -> None:
        event = parse(
            WebhookEvent, {"action": "A", "annotation": [{"id": 5}, {"id": 6}], "task": [{"id": 3}, {"id": 3}]}
        )
        assert (event.task_ids, event.annotation_ids) == ((3,), (5, 6))

    def test_deletions_carry_ids_alone(self) -> None:
        event = parse(WebhookEvent, {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 5}], "project": {"id": 1}})
        assert (event.task_ids, event.annotation_ids) == ((), (5,))
        assert parse(WebhookEvent, {"action": "TASKS_DELETED", "tasks": [{"id": 3}]}).task_ids == (3,)

    def test_an_action_alone_and_one_without_annotation(self) -> None:
        assert parse(WebhookEvent, {"action": "START_TRAINING"}).project is None
        event = parse(WebhookEvent, {"action": "ANNOTATION_CREATED", "project": {"id": 1}, "annotation": None})
        assert event.annotation_ids == ()

    def test_ids_of_another_type_are_left_out(self) -> None:
        assert parse(WebhookEvent, {"action": "A", "tasks": [{"id": "3"}, {"id": True}, {}, {"id": 4}]}).task_ids == (
            4,
        )


class TestTasks:
    def test_a_task(self) -> None:
        task = read_task({"id": 1, "data": {"text": "a"}, "predictions": None, "meta": {}}, 0)
        assert (task.id, task.data, task.predictions) == (1, {"text": "a"}, [])
        assert read_task({"data": {}}, 0).id is None

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            (7, "tasks[2]: got a number, wanted an object."),
            ({}, "tasks[2].data: missing, and required."),
            ({"data": 5}, "tasks[2].data: got a number, wanted an object."),
            ({"data": {}, "id": "1"}, "tasks[2].id: got a string, wanted a whole number."),
            ({"data": {}, "drafts": [1]}, "tasks[2].drafts[0]: got a number, wanted an object."),
        ],
    )
    def test_another_shape_costs_only_that_task(self, body: Any, sentence: str) -> None:
        with pytest.raises(TaskUnusable) as caught:
            read_task(body, 2)
        assert str(caught.value) == sentence
