"""A store with published versions of small, real models."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from backend.projects.identity import version_number
from backend.serving.families import Families
from backend.serving.pool import Pool
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from model_zoo.linear.head import LinearHead
from model_zoo.linear.model import LinearModel
from model_zoo.postprocess import ClassificationPostprocess
from model_zoo.registry import family
from model_zoo.text_classification.minilm_linear import MiniLMLinear
from model_zoo.types import LabelSpace

UID = "1.1795149789"
LABELS = LabelSpace(("billing", "other"))


@dataclass(frozen=True)
class Shelf:
    """A store, and what is needed to put versions into it and to take models out of it."""

    store: ObjectStore

    @property
    def versions(self) -> Versions:
        return Versions(self.store)

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.store)

    def model(self, seed: int) -> str:
        """Store a linear head on MiniLM's features; its digest."""
        weight = np.random.default_rng(seed).normal(size=(2, 384)).astype(np.float32)
        owner = family(MiniLMLinear.name)
        assert isinstance(owner, MiniLMLinear)
        head = LinearHead(weight, np.zeros(2, np.float32), np.zeros(2, np.float32), multiple=False)
        with tempfile.TemporaryDirectory() as folder:
            LinearModel(owner, LABELS, head).save(Path(folder))
            return self.artifacts.put(Path(folder))

    def publish(
        self, name: str, models: Mapping[str, str] | None = None, parent: str | None = None, uid: str = UID
    ) -> Manifest:
        """Publish a version whose controls have these models: one control of its own if none are given."""
        chosen = models or {"topic": self.model(version_number(name))}
        controls = {
            control: ControlVersion(
                MiniLMLinear.name,
                digest,
                LABELS.names,
                postprocess=ClassificationPostprocess.uncalibrated(LABELS).to_json(),
            )
            for control, digest in chosen.items()
        }
        manifest = Manifest(uid, name, 0.0, 0, controls, parent)
        self.versions.publish(manifest)
        return manifest

    def weights(self, digest: str) -> Path:
        """The file with a model's weights, for damaging it."""
        return self.artifacts.fetch(digest) / "weights.safetensors"

    def damage(self, manifest: Manifest) -> None:
        """Make a version impossible to load."""
        for part in manifest.controls.values():
            self.weights(part.artifact).write_bytes(b"not what was published")

    def pool(self, budget: int = 10**9, loads: list[str] | None = None) -> Pool:
        """What a process that starts now has: nothing loaded. `loads` takes the family of each model it loads."""
        loaded = [] if loads is None else loads
        return Pool(self.versions, self.artifacts, Families(), budget, on_load=loaded.append)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(ObjectStore(tmp_path / "store"))
