"""The bodies that Label Studio sends us, as types; whatever has another shape is answered with a sentence.

Unknown keys are ignored: Label Studio adds some with every release. Nothing is converted: a number is no string.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from backend.errors import InvalidRequest, PrelabelError, TaskUnusable

MAX_PROBLEMS = 5
"""Problems of one body that are named; the rest are counted."""


def _array(value: Any) -> Any:
    """Null as an empty array, one object as an array of one: Label Studio uses all three for the same key."""
    if value is None:
        return []
    return [value] if isinstance(value, dict) else value


Object = dict[str, Any]
Objects = Annotated[list[Object], BeforeValidator(_array), Field(default_factory=list)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Payload(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", protected_namespaces=())


class SetupRequest(Payload):
    """`POST /setup`. `access_token` is the legacy token of the project's creator, off on a fresh Label Studio."""

    project: Name
    label_config: str = Field(alias="schema")
    hostname: str = ""
    access_token: SecretStr | None = None
    extra_params: Any = None


class PredictParams(Payload):
    """`context` is what somebody just drew or clicked; None unless the request is interactive."""

    context: Object | None = None


class PredictRequest(Payload):
    """`POST /predict`. Tasks are checked one by one with `read_task`, so that a bad one costs only itself."""

    tasks: list[Any]
    project: Name | None = None
    label_config: str | None = None
    params: PredictParams | None = None

    @property
    def context(self) -> Object | None:
        return self.params.context if self.params else None


class TaskPayload(Payload):
    """One task of a request. `id` is None for a task that exists nowhere but in the request."""

    id: int | None = None
    data: Object
    annotations: Objects
    predictions: Objects
    drafts: Objects


class ProjectPayload(Payload):
    """A project as webhooks carry it. `created_at` is ISO 8601; with the id it makes the uid."""

    id: int
    created_at: str | None = None
    title: str | None = None
    label_config: str | None = None
    model_version: str | None = None


class WebhookEvent(Payload):
    """`POST /webhook`, every action. All but the action may be missing (`send_payload: false` sends only that)."""

    action: Name
    project: ProjectPayload | None = None
    task: Objects
    tasks: Objects
    annotation: Objects
    annotations: Objects

    @property
    def task_ids(self) -> tuple[int, ...]:
        """The tasks that it names, in order."""
        return _ids([*self.task, *self.tasks])

    @property
    def annotation_ids(self) -> tuple[int, ...]:
        """The annotations that it names, in order."""
        return _ids([*self.annotation, *self.annotations])


class TrainRequest(Payload):
    """`POST /train`. Annotations in it are ignored: they are read again by API."""

    project: Name


class VersionsRequest(Payload):
    """`POST /versions`: the names there are; with `version`, that one is served from now on."""

    project: Name
    version: Name | None = None


class MoveRequest(Payload):
    """`POST /api/projects/<uid>/promote` and the like. Without `version` the one that the action finds by itself."""

    version: Name | None = None


class JobStatusRequest(Payload):
    """`POST /job_status`."""

    job: Name


class ValidateRequest(Payload):
    """`POST /validate`."""

    config: str


class DeleteRequest(Payload):
    """`POST /delete`."""

    project: Name


class DuplicateRequest(Payload):
    """`POST /duplicate_model`."""

    project_src: Name
    project_dst: Name


Body = TypeVar("Body", bound=Payload)


def read_json(body: bytes) -> Any:
    """The JSON in a request's body. Raises `InvalidRequest`."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8. Send JSON in UTF-8.") from None
    except RecursionError:
        raise InvalidRequest("The body nests arrays or objects too deep. Flatten it.") from None
    except ValueError as error:
        got = "nothing" if not body.strip() else "something else"
        raise InvalidRequest(f"The body should be JSON, got {got}: {error}. Send a JSON object.") from None


def parse(kind: type[Body], body: Any) -> Body:
    """`body`, decoded from JSON, as a `kind`. Raises `InvalidRequest` that names each problem with its path."""
    return _parse(kind, body, "", InvalidRequest)


def read_task(body: Any, index: int) -> TaskPayload:
    """The task at `index` of a request's `tasks`. Raises `TaskUnusable`."""
    return _parse(TaskPayload, body, f"tasks[{index}]", TaskUnusable)


def _parse(kind: type[Body], body: Any, where: str, error: type[PrelabelError]) -> Body:
    try:
        return kind.model_validate(body)
    except ValidationError as invalid:
        problems = invalid.errors(include_url=False, include_context=True)
    sentences = [_sentence(where, problem["loc"], problem) for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        sentences.append(f"{len(problems) - MAX_PROBLEMS} more problems")
    raise error("; ".join(sentences) + ".")


_WANTED = {
    "string_type": "a string",
    "string_unicode": "a string that UTF-8 can hold",
    "int_type": "a whole number",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def _sentence(where: str, location: Sequence[int | str], problem: Any) -> str:
    """Paths and types alone: what is in a body may be a secret, or megabytes."""
    path = _path(where, location)
    code = problem["type"]
    if code == "missing":
        return f"{path}: missing, and required"
    if code == "string_too_short":
        return f"{path}: got an empty string, wanted a name"
    if code == "string_too_long":
        return f"{path}: got {len(problem['input'])} characters, wanted at most {problem['ctx']['max_length']}"
    return f"{path}: got {kind_of(problem['input'])}, wanted {_WANTED.get(code, problem['msg'])}"


def _path(where: str, location: Sequence[int | str]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return (where + "".join(steps)).removeprefix(".") or "the body"


def kind_of(value: object) -> Literal["null", "a boolean", "a number", "a string", "an array", "an object"]:
    """What JSON calls `value`, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, (list, tuple)) else "an object"


def _ids(items: Sequence[Object]) -> tuple[int, ...]:
    found = (item.get("id") for item in items)
    return tuple(dict.fromkeys(one for one in found if isinstance(one, int) and not isinstance(one, bool)))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
