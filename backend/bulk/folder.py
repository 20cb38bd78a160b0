"""A folder of files predicted by a version of the store: no Label Studio, no Redis, no server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backend.errors import InvalidConfig, InvalidRequest, MediaError, UnknownProject
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.labelstudio.media.folder import SUFFIXES, FolderMedia
from backend.projects.identity import UNTRAINED, version_number
from backend.projects.record import ProjectRecord
from backend.projects.roles import RolePolicy
from backend.serving.families import Families
from backend.serving.inputs import InputReader
from backend.serving.pool import LoadedVersion, Pool
from backend.serving.predict import Predictor, TaskPrediction
from backend.settings import Settings
from backend.store.artifacts import Artifacts
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions

CURRENT = "current"
AT_ONCE = 64
"""Files between two reports of progress."""

Step = Callable[[int, int], None]
"""Told how many files are done, of how many."""


@dataclass
class FolderPredictions:
    """`tasks` as Label Studio imports them, one a file; why files have no prediction, by their names."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def predicted(self) -> int:
        return sum(bool(task["predictions"]) for task in self.tasks)


class FolderPredictor:
    """One version of one project, loaded once. `model` is `VERSION` or `PROJECT/VERSION`: `v3`, `7/v3`, `7/current`.

    Raises `InvalidRequest`, `UnknownProject`, `UnknownVersion`, `StoreError`.
    """

    def __init__(self, settings: Settings, model: str) -> None:
        store = ObjectStore(settings.store_address)
        versions = Versions(store)
        record, name = _named(ProjectRecords(store), model)
        self._settings = settings
        self._config = parse_config(record.label_config)
        artifacts = Artifacts(store, settings.data_dir / "cache" / "artifacts")
        pool = Pool(versions, artifacts, Families.of_settings(settings), settings.model_memory_bytes)
        name = versions.current_name(record.uid) if name == CURRENT else name
        self._version = pool.before_labels(self._config) if name == UNTRAINED else pool.open(record.uid, name)

    @property
    def version(self) -> LoadedVersion:
        return self._version

    def predict(self, folder: Path, prefix: str = "", step: Step = lambda done, total: None) -> FolderPredictions:
        """Predict every file below `folder` that the project's objects can show.

        `prefix` is put before each file's path, to make the address under which Label Studio will find it.
        Raises `MediaError` where there is no such file, `InvalidConfig` where one file makes no task.
        """
        media = FolderMedia(folder, self._settings.media_max_bytes)
        parts = [(config, media.names(_object_tag(config))) for config in _by_object(self._config)]
        total = sum(len(names) for _, names in parts)
        if not total:
            raise MediaError(_nothing_found(folder, self._config))
        outcome = FolderPredictions()
        with closing(InputReader(media, max_pixels=self._settings.media_max_pixels)) as inputs:
            predictor = Predictor(inputs, RolePolicy.of(self._settings))
            for config, names in parts:
                for start in range(0, len(names), AT_ONCE):
                    self._some(config, predictor, media, names[start : start + AT_ONCE], prefix, outcome)
                    step(len(outcome.tasks), total)
        return outcome

    def _some(
        self,
        config: LabellingConfig,
        predictor: Predictor,
        media: FolderMedia,
        names: Sequence[str],
        prefix: str,
        outcome: FolderPredictions,
    ) -> None:
        control = config.controls[0]
        tasks, shown = [], []
        for name in names:
            value = name if control.fetched else _text(media, name, outcome)
            tasks.append({"data": {control.data_key: value}})
            shown.append({control.data_key: _address(prefix, name) if control.fetched else value})
        deadline = time.monotonic() + self._settings.job_timeout
        predictions = predictor.predict(config, self._version, tasks, deadline)
        for name, data, prediction in zip(names, shown, predictions, strict=True):
            if prediction.problems:
                outcome.problems.setdefault(name, " ".join(problem.message for problem in prediction.problems))
            outcome.tasks.append({"data": data, "predictions": list(_entries(prediction))})


def write(path: Path, tasks: Sequence[dict[str, Any]]) -> None:
    """Write `tasks` as one JSON file; a reader sees all of it or none. Raises `InvalidRequest`."""
    with _beside(path) as temporary:
        temporary.write_text(json.dumps(tasks, ensure_ascii=False, indent=1), encoding="utf-8")
        temporary.replace(path)


def check_writable(path: Path) -> None:
    """Raises `InvalidRequest` where `write` would: better before an hour's work than after it."""
    with _beside(path) as temporary:
        temporary.touch()


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A temporary file in the same folder, which is made if need be."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror}. Choose another --output.") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _named(records: ProjectRecords, model: str) -> tuple[ProjectRecord, str]:
    """The project and the version that `model` names."""
    project, slash, name = model.rpartition("/")
    if name != CURRENT:
        version_number(name)
    if slash:
        if not project.isdecimal():
            raise InvalidRequest(f"model: got {model!r}, wanted a version such as 'v3', or '7/v3' for project 7.")
        return records.newest(int(project)), name
    known = records.all()
    if len(known) == 1:
        return known[0], name
    if not known:
        raise UnknownProject("The store has no project. Give its folder with --data-dir, or set PRELABEL_STORE_URL.")
    projects = ", ".join(f"{record.id} ({record.title})" for record in known)
    raise InvalidRequest(f"model: got {model!r}, and there are several projects: {projects}. Say which: ID/{name}.")


def _by_object(config: LabellingConfig) -> list[LabellingConfig]:
    """The config once for each object that a file can be, with the controls on that object alone."""
    parts = []
    for tag in SUFFIXES:
        controls = tuple(control for control in config.controls if control.object_tag == tag)
        keys = sorted({control.data_key for control in controls})
        if len(keys) > 1:
            raise InvalidConfig(
                f"A task of this project has several of {tag} ({', '.join(keys)}), and nothing says which files "
                "belong together. Import them as tasks, and predict the project."
            )
        if controls:
            parts.append(replace(config, controls=controls))
    return parts


def _object_tag(config: LabellingConfig) -> str:
    return config.controls[0].object_tag


def _nothing_found(folder: Path, config: LabellingConfig) -> str:
    if not folder.is_dir():
        return f"{folder} is no folder. Give one with --input."
    endings = [ending for part in _by_object(config) for ending in SUFFIXES.get(_object_tag(part), ())]
    if not endings:
        return "This project's tasks show nothing that a file can hold. Import the files as tasks, and predict that."
    return f"{folder} holds no file that this project can show: wanted {', '.join(endings)}."


def _text(media: FolderMedia, name: str, outcome: FolderPredictions) -> str:
    try:
        return media.fetch_text(name)
    except MediaError as error:
        outcome.problems[name] = str(error)
        return ""


def _address(prefix: str, name: str) -> str:
    """Where Label Studio finds the file; keys in cloud storage are written as they are, addresses quoted."""
    return prefix + (quote(name) if prefix.startswith(("http://", "https://", "/")) else name)


def _entries(prediction: TaskPrediction) -> Iterator[dict[str, Any]]:
    if prediction.result or not prediction.problems:
        yield prediction.as_dict()
