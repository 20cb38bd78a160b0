"""The same backend as a class for the package `label-studio-ml`, for those who serve theirs with it already.

Written for 1.0.9 and to the signature of 2.x (`predict(tasks, context=None, **kwargs)`, `fit(event, data, **kwargs)`).
Predictions come from the same store and models as those of `prelabel serve`; trainings run in the same workers, so
`prelabel up` or `prelabel worker` runs beside it, with the same settings.

Neither version says when a project was created, which its uid wants: a project that was not set up with Prelabel
itself is looked up in Label Studio, with the token that `prelabel connect` or LABEL_STUDIO_API_KEY gave. And 1.0.9
answers `/setup` with a version name of its own making; the predictions carry ours.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from label_studio_ml.model import LabelStudioMLBase
from pydantic import SecretStr

from backend.embedded_redis import running_url
from backend.errors import PrelabelError, UnknownProject
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import recall
from backend.projects.identity import UNTRAINED, Uid
from backend.services import Services
from backend.settings import Settings
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords

log = logging.getLogger(__name__)

_building = threading.Lock()


class PrelabelModel(LabelStudioMLBase):  # type: ignore[misc]  # the package has no type information
    """Prelabel as `label-studio-ml` sees it: made anew for each setup (1.0.9) or request (2.x), so it holds nothing."""

    def setup(self) -> None:
        """Called by 2.x when the model is made: name the version that is served."""
        project = _number(getattr(self, "project_id", None))
        if project is None:
            return
        try:
            self.set("model_version", _services().model_version(uid_of(_settings(), project)))
        except PrelabelError as error:
            log.warning("The version of project %d is not known yet: %s", project, error)

    def predict(self, tasks: list[Any], context: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """One prediction a task, in order; empty ones where the project is unknown."""
        if not tasks:
            return []
        try:
            return _serving().predict(self._uid(tasks), self.label_config, list(tasks), context)
        except PrelabelError as error:
            # An error answered by either version would cost the whole request, with a traceback to the client.
            log.warning("%d tasks are not predicted: %s", len(tasks), error)
            return [{"result": [], "score": 1.0, "model_version": UNTRAINED} for _ in tasks]

    def fit(self, event: str, data: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Take note of a webhook's event; a worker trains."""
        outcome = _services().event(event, {**data, "action": event})
        return {"status": "accepted" if outcome.accepted else "ignored", "message": outcome.message}

    def process_event(self, event: str, data: Mapping[str, Any], job_id: str, additional_params: Any) -> None:
        """Called by 1.0.9 for every event, in a process of its own. Its own method drops START_TRAINING, and more.

        Returns nothing: from a result 1.0.9 would make a version of its own.
        """
        self.fit(event, data)

    def _uid(self, tasks: list[Any]) -> Uid:
        named = (task.get("project") for task in tasks if isinstance(task, Mapping))
        project = _first_number([getattr(self, "project_id", None), *named])
        if project is None:
            raise UnknownProject("Got tasks without `project`, wanted its id in each, as Label Studio sends them.")
        return uid_of(_settings(), project)


@lru_cache(maxsize=1024)
def uid_of(settings: Settings, project: int) -> Uid:
    """The uid of the project with that id: of the newest one recorded here, or else as Label Studio says.

    Raises `UnknownProject` when neither knows it, `LabelStudioError` when Label Studio does not answer.
    """
    records = ProjectRecords(ObjectStore(settings.store_address)).all()
    known = [Uid(record.uid) for record in records if record.id == project]
    if known:
        return max(known, key=lambda uid: uid.created)
    connection = recall(settings)
    if connection is None or connection.api_key is None:
        raise UnknownProject(
            f"Project {project} was never set up here. Run `prelabel connect --project {project}`, or set "
            "LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY."
        )
    with LabelStudio(connection) as label_studio:
        return Uid.from_project(project, label_studio.project(project)["created_at"])


@cache
def _settings() -> Settings:
    settings = Settings.load()
    if settings.redis_url is not None:
        return settings
    url = running_url(settings.data_dir / "redis")
    return settings.model_copy(update={"redis_url": SecretStr(url)}) if url else settings


@cache
def _built() -> Services:
    return Services(_settings())


@cache
def _started() -> Services:
    services = _built()
    services.start()
    atexit.register(services.close)
    return services


def _services() -> Services:
    """This process's services, to note events with."""
    with _building:
        return _built()


def _serving() -> Services:
    """This process's services, which follow new versions from now on.

    Only for processes that predict: each of them is waited for when a version is announced.
    """
    with _building:
        return _started()


def _first_number(values: Iterable[Any]) -> int | None:
    return next((number for value in values if (number := _number(value)) is not None), None)


def _number(value: Any) -> int | None:
    """A project's id, which 2.x gives as text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return int(value) if str(value).isdecimal() else None
