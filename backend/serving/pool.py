"""The versions that one process has loaded: one reference a project, swapped whole, bounded in bytes."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backend.converters import CONVERTERS
from backend.errors import InvalidConfig, StoreError, UnknownVersion
from backend.labelstudio.config import Control, LabellingConfig
from backend.projects.identity import UNTRAINED, version_number
from backend.serving.families import Families
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.versions import Versions
from model_zoo.errors import ZooError

if TYPE_CHECKING:
    from model_zoo.base import Family, Model
    from model_zoo.postprocess import Postprocess
    from model_zoo.programs.program import Program

log = logging.getLogger(__name__)

POINTER_CHECK = 1.0
"""Seconds between two looks at the pointer of a project, for announcements that were lost."""

RETRY_REFUSED = 30.0
"""Seconds after which a version that could not be loaded is tried again: somebody may have restored the store."""


_UNKNOWN = "?"
"""Stands for the parent of a version whose manifest cannot be read."""


@dataclass(frozen=True)
class LoadedControl:
    """One control's model with the parameters that were fitted after it; `digest` is empty for an untrained one."""

    digest: str
    family: Family
    model: Model
    postprocess: Postprocess


@dataclass(frozen=True)
class LoadedVersion:
    """A version whose models are in memory. `manifest` is None before a project's first version."""

    name: str
    controls: Mapping[str, LoadedControl]
    manifest: Manifest | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    """Why a control has no model although it should, by the control's name."""

    @property
    def nbytes(self) -> int:
        return sum(control.model.nbytes for control in self.controls.values())


@dataclass(frozen=True)
class _Refusal:
    """Why a version could not be loaded, and when that was tried (`time.monotonic`)."""

    reason: str
    at: float


class Pool:
    """Loaded versions by project uid; the least recently used go when `budget` bytes are exceeded.

    A version that cannot be loaded replaces none that is: what was served before goes on, or the newest version
    before it that can be loaded.
    """

    def __init__(
        self,
        versions: Versions,
        artifacts: Artifacts,
        families: Families,
        budget: int,
        on_load: Callable[[str], None] = lambda family: None,
        on_first_use: Callable[[Program], None] = lambda program: None,
    ) -> None:
        """`on_load` is told the family of each model that is loaded, `on_first_use` a network before it is first run
        in loading."""
        self._versions = versions
        self._artifacts = artifacts
        self._families = families
        self._budget = budget
        self._on_load = on_load
        self._on_first_use = on_first_use
        self._loaded: OrderedDict[str, LoadedVersion] = OrderedDict()
        self._checked: dict[str, float] = {}
        self._untrained: OrderedDict[str, LoadedVersion] = OrderedDict()
        self._refused: dict[tuple[str, str], _Refusal] = {}
        self._guard = threading.Lock()
        self._loading: dict[str, threading.Lock] = {}

    def name(self, uid: str) -> str:
        """The version that `get` would serve, found without loading a model. Raises `StoreError`."""
        with self._guard:
            held = self._loaded.get(uid)
        if held is not None and not self._pointer_is_due(uid):
            return held.name
        try:
            current = self._versions.current_name(uid)
            if self._refusal(uid, current) is None:
                return current
            earlier = (name for name in self._before(uid, current) if self._refusal(uid, name) is None)
            return held.name if held is not None else next(earlier, current)
        except StoreError:
            if held is None:
                raise
            return held.name

    def get(self, uid: str, config: LabellingConfig) -> LoadedVersion:
        """The version to serve now, loaded on first use. Requests in flight keep the one they were given.

        Raises `StoreError` when nothing is loaded and no version can be.
        """
        with self._guard:
            held = self._loaded.get(uid)
            if held is not None:
                self._loaded.move_to_end(uid)
        if held is None or self._pointer_is_due(uid):
            try:
                held = self.swap(uid, load=True)
            except StoreError as error:
                held = self._instead(uid, error)
        return held if held is not None else self.before_labels(config)

    def swap(self, uid: str, load: bool = False) -> LoadedVersion | None:
        """Make the reference of `uid` follow the pointer. A project that nobody asked for is loaded only if `load`.

        Raises `StoreError` when the current version cannot be loaded; the reference stays where it is then.
        """
        with self._lock(uid):
            with self._guard:
                held = self._loaded.get(uid)
                self._checked[uid] = time.monotonic()
            if held is None and not load:
                return None
            name = self._versions.current_name(uid)
            if name == UNTRAINED:
                self.drop(uid)
                return None
            if held is not None and held.name == name:
                return held
            return self._serve(uid, self._load(uid, name, held))

    def open(self, uid: str, name: str) -> LoadedVersion:
        """The version of that name, for whoever asks; what the project is served with stays. Raises `StoreError`."""
        return self._load(uid, name, None)

    def _serve(self, uid: str, version: LoadedVersion) -> LoadedVersion:
        with self._guard:
            self._loaded[uid] = version
            self._loaded.move_to_end(uid)
            self._evict()
        log.info("Project %s is now served by %s.", uid, version.name)
        return version

    def _instead(self, uid: str, error: StoreError) -> LoadedVersion:
        """What serves while the current version cannot be loaded. Raises `error` when there is nothing."""
        with self._lock(uid):
            with self._guard:
                held = self._loaded.get(uid)
            if held is not None:
                return held
            for name in self._before(uid, self._versions.current_name(uid)):
                try:
                    return self._serve(uid, self._load(uid, name, None))
                except StoreError:
                    continue  # `_load` has said why
        raise error

    def _before(self, uid: str, name: str) -> Iterator[str]:
        """Names of earlier versions, the newest first: the one that `name` was trained after, and so on.

        Where a manifest cannot be read, what was published before it takes the place of its parent.
        """
        for other in reversed(self._versions.names(uid)):
            if version_number(other) < version_number(name) and self._parent(uid, name) in (other, _UNKNOWN):
                yield other
                name = other

    def _parent(self, uid: str, name: str) -> str | None:
        try:
            return self._versions.get(uid, name).parent
        except (StoreError, UnknownVersion):
            return _UNKNOWN

    def drop(self, uid: str) -> None:
        """Forget a project's models."""
        with self._guard:
            self._loaded.pop(uid, None)

    @property
    def nbytes(self) -> int:
        with self._guard:
            return sum(version.nbytes for version in self._loaded.values())

    def _lock(self, uid: str) -> threading.Lock:
        with self._guard:
            return self._loading.setdefault(uid, threading.Lock())

    def _pointer_is_due(self, uid: str) -> bool:
        with self._guard:
            return time.monotonic() - self._checked.get(uid, -POINTER_CHECK) >= POINTER_CHECK

    def _refusal(self, uid: str, name: str) -> _Refusal | None:
        with self._guard:
            refusal = self._refused.get((uid, name))
        return refusal if refusal is not None and time.monotonic() - refusal.at < RETRY_REFUSED else None

    def _load(self, uid: str, name: str, held: LoadedVersion | None) -> LoadedVersion:
        """Raises `StoreError`, without another look at the store where one was taken a moment ago."""
        refusal = self._refusal(uid, name)
        if refusal is not None:
            raise StoreError(refusal.reason)
        try:
            return self._read(self._versions.get(uid, name), held)
        except (StoreError, UnknownVersion, ZooError) as error:
            reason = f"{name} of project {uid} cannot be loaded: {error}"
            log.error("%s", reason)
            with self._guard:
                self._refused[uid, name] = _Refusal(reason, time.monotonic())
            raise StoreError(reason) from error

    def _read(self, manifest: Manifest, held: LoadedVersion | None) -> LoadedVersion:
        known = {control.digest: control for control in held.controls.values()} if held else {}
        controls = {}
        for name, part in manifest.controls.items():
            reuse = known.get(part.artifact)
            controls[name] = self._load_control(part, reuse.model if reuse else None)
        return LoadedVersion(manifest.name, controls, manifest)

    def _load_control(self, part: ControlVersion, model: Model | None) -> LoadedControl:
        # Imported here: the zoo brings torch, which requests that predict nothing must not pay for.
        from model_zoo.postprocess import postprocess_of

        family = self._families.behind(part)
        if model is None:
            folder: Path = self._artifacts.fetch(part.artifact)
            model = family.load(folder)
            self._on_load(part.family)
        return LoadedControl(part.artifact, family, model, postprocess_of(family.task).from_json(part.postprocess))

    def _evict(self) -> None:
        total = sum(version.nbytes for version in self._loaded.values())
        while total > self._budget and len(self._loaded) > 1:
            uid, version = self._loaded.popitem(last=False)
            total -= version.nbytes
            log.info("Version %s of project %s left memory: the budget is %d bytes.", version.name, uid, self._budget)

    def before_labels(self, config: LabellingConfig) -> LoadedVersion:
        """What answers for a config of which no label is known yet."""
        with self._lock(UNTRAINED):
            version = self._untrained.get(config.xml)
            if version is None:
                version = self._untrained[config.xml] = self._without_versions(config)
                while len(self._untrained) > 32:
                    self._untrained.popitem(last=False)
        return version

    def _without_versions(self, config: LabellingConfig) -> LoadedVersion:
        controls, failures = {}, {}
        for control in config.controls:
            try:
                model = self._without_labels(control)
            except (InvalidConfig, ZooError) as error:
                failures[control.name] = str(error)
                log.warning("%s", error)
            else:
                if model is not None:
                    controls[control.name] = model
        return LoadedVersion(UNTRAINED, controls, failures=failures)

    def _without_labels(self, control: Control) -> LoadedControl | None:
        """The model that answers for `control` before any label exists, where its family has one.

        Raises `InvalidConfig`, and `ZooError` where the family's weights are missing.
        """
        from model_zoo.base import Family
        from model_zoo.postprocess import postprocess_of

        chosen = self._families.of(control)
        # Where it answers, it reads the labels' names; others must not be asked for weights that may not be there.
        answers = type(chosen).untrained is not Family.untrained
        if answers and (encoder := chosen.encoder()) is not None:
            self._on_first_use(encoder.program)
        labels = CONVERTERS[control.tag].label_space(control)
        model = chosen.untrained(labels)
        postprocess = postprocess_of(chosen.task).uncalibrated(labels, chosen.untrained_threshold)
        return LoadedControl("", chosen, model, postprocess) if model is not None else None
