"""Write a version's predictions into Label Studio: first what people meet next, then everything else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from backend.converters.base import region_id, region_key
from backend.jobs.collaborators import Collaborators
from backend.jobs.featurise import Featuriser, Step
from backend.jobs.forecast import Forecaster
from backend.jobs.shown import ShownLog
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.config import LabellingConfig
from backend.labelstudio.publisher import Published, Publisher
from backend.projects.identity import UNTRAINED, Uid
from backend.selection.ordering import Strategy
from backend.serving.inputs import Task
from backend.serving.pool import LoadedVersion, Pool
from backend.serving.predict import Predictor
from backend.store.clusters import ClusterStore
from backend.store.manifest import Manifest
from backend.store.records import Record
from model_zoo.base import Watch

log = logging.getLogger(__name__)

NEAR = 512
"""Unlabelled tasks among which the training looks for the first ones, so that people wait for no whole project."""
FIRST = 8
"""Predictions that the training itself writes; the refresh after it writes the others."""
AWAITED = 2
"""Of those, so many are written without a pause: the task that is opened next, and one more."""
UNREAD = 32
"""Of those, as many may still have to be encoded: a second for images. The others were encoded in the background."""
AT_ONCE = 20_000
"""Tasks that are predicted and ordered together, to bound memory: about 100 MB of image features."""
NEAR_RAW = 16
AT_ONCE_RAW = 512
"""The same where each prediction takes a run of the whole network, some 50 ms: what an interruption may cost."""


class Show:
    """Writes the predictions of one version of one project; `first` and `everything` when it is your turn.

    Nothing more is written once another version is current, or `go_on` answers False.
    """

    def __init__(
        self,
        collaborators: Collaborators,
        uid: str,
        manifest: Manifest,
        config: LabellingConfig,
        label_studio: LabelStudio,
        labelled: Sequence[Record],
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._with = collaborators
        self._uid = uid
        self._manifest = manifest
        self._label_studio = label_studio
        self._labelled = labelled
        self._current = _Throttled(lambda: collaborators.versions.current_name(uid) == manifest.name)
        self._go_on = go_on
        self._version = loaded_version(collaborators, uid, config)
        self._raw = any(control.family.encoder() is None for control in self._version.controls.values())
        self._forecaster = forecaster(collaborators, uid, config, self._version)

    @cached_property
    def _publisher(self) -> Publisher:
        """Made when it is first needed, for it reads what is stored."""
        versions = {UNTRAINED, *self._with.versions.names(self._uid)}
        return Publisher(
            self._label_studio,
            Uid(self._uid).project_id,
            self._manifest.name,
            ours=lambda row: row.get("model_version") in versions and _looks_ours(row),
            still_current=lambda: self._go_on() and self._current(),
            overwriting=ShownLog(self._with.redis, self._uid).overwritten,
        )

    def compile(self) -> None:
        """Compile the models, for this and for the servers. It takes long, and needs no turn."""
        for loaded in self._version.controls.values():
            self._with.forms.make_all(loaded.model.programs())

    def lacks_forms(self) -> bool:
        """Whether a shared encoder is still to be compiled on this machine, which servers wait for."""
        forms = self._with.forms
        encoders = [loaded.family.encoder() for loaded in self._version.controls.values()]
        return forms.usable and any(encoder is not None and not forms.known(encoder.program) for encoder in encoders)

    def first(self) -> Published:
        """Write the few predictions that people meet next, and let the project show this version as soon as the first
        of them are there."""
        look = NEAR_RAW if self._raw else NEAR
        near = self._needed(islice(self._label_studio.unlabelled_tasks(Uid(self._uid).project_id), look))
        ready = self._forecaster.ready(near, UNREAD)
        predictions = self._forecaster.forecast(ready, self._labelled).predictions[:FIRST]
        awaited = self._publisher.publish_urgent(predictions[:AWAITED], at_once=AWAITED)
        self._publisher.name_version()
        awaited.add(self._publisher.publish_urgent(predictions[AWAITED:]))
        return awaited

    def everything(self, step: Step, watch: Watch, at_once: int = AT_ONCE) -> Published:
        """Write all that is missing, the urgent first. Started again after an interruption, it goes on where it was."""
        total = Published()
        tasks = self._label_studio.unlabelled_tasks(Uid(self._uid).project_id)
        at_once = min(at_once, AT_ONCE_RAW) if self._raw else at_once
        while some := list(islice(tasks, at_once)):
            part = self._needed(some)
            if not part:  # written before an interruption; the tasks after them may not be
                continue
            forecast = self._forecaster.forecast(part, self._labelled, step, watch)
            urgent = self._with.settings.urgent_tasks
            total.add(self._publisher.publish_urgent(forecast.predictions[:urgent]))
            self._publisher.name_version()
            total.add(self._publisher.publish_rest(forecast.predictions[urgent:]))
            if total.superseded:
                return total
        self._publisher.name_version()
        return total

    def _needed(self, tasks: Iterable[Task]) -> list[Task]:
        by_id = {task["id"]: task for task in tasks}
        return [by_id[task] for task in self._publisher.remaining(by_id)]


def _looks_ours(row: Mapping[str, Any]) -> bool:
    """Whether a stored prediction's regions carry the ids that we give: others may call their versions v1, too."""
    regions = row.get("result") or []
    key = region_key(row.get("task"), str(row.get("model_version")))
    # A shape's labels may be a region of another control under the same id.
    names = {str(region.get("from_name")) for region in regions}
    given = {region_id(key, name, index) for name in names for index in range(len(regions))}
    return all(region.get("id") in given for region in regions)


class _Throttled:
    """Asks `question` at most twice a second: it may be a request to an object store."""

    def __init__(self, question: Callable[[], bool], interval: float = 0.5) -> None:
        self._question = question
        self._interval = interval
        self._asked = float("-inf")
        self._answer = True

    def __call__(self) -> bool:
        if time.monotonic() - self._asked > self._interval:
            self._answer = self._question()
            self._asked = time.monotonic()
        return self._answer


def loaded_version(collaborators: Collaborators, uid: str, config: LabellingConfig) -> LoadedVersion:
    """The current version. Raises `StoreError`."""
    budget = collaborators.settings.model_memory_bytes
    pool = Pool(collaborators.versions, collaborators.artifacts, collaborators.families, budget)
    # Not `get`: an older version that can be loaded must not be written as this one.
    return pool.swap(uid, load=True) or pool.before_labels(config)


def forecaster(
    collaborators: Collaborators,
    uid: str,
    config: LabellingConfig,
    version: LoadedVersion,
    strategy: Strategy = Strategy.DEFAULT,
) -> Forecaster:
    """What predicts the project's tasks with `version`, and puts them in order."""
    return Forecaster(
        uid,
        config,
        version,
        Predictor(collaborators.inputs, collaborators.roles),
        Featuriser(uid, collaborators.features, collaborators.inputs),
        collaborators.families,
        ClusterStore(collaborators.store),
        collaborators.roles,
        collaborators.settings.seed,
        strategy,
    )
