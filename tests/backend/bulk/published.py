"""A small version that really was trained, in a store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from backend.converters import CONVERTERS
from backend.labelstudio.config import parse_config
from backend.projects.record import ProjectRecord
from backend.settings import Settings
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions
from model_zoo.postprocess import postprocess_of
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import ClassificationExample, Input, Item


def publish(
    settings: Settings,
    uid: str,
    xml: str,
    examples: Mapping[str, Sequence[tuple[Input, str]]],
    title: str = "A project",
    recipe: Recipe | None = None,
) -> str:
    """Teach each control its `examples` (what it sees, and the label) and publish them; the version's name."""
    store = ObjectStore(settings.store_address)
    ProjectRecords(store).put(ProjectRecord(uid, title, xml, set_up_at=time.time()))
    parts = {name: _taught(store, settings, xml, name, few, recipe or Recipe()) for name, few in examples.items()}
    name = Versions(store).next_name(uid)
    Versions(store).publish(Manifest(uid, name, time.time(), fence=1, controls=parts))
    return name


def _taught(
    store: ObjectStore,
    settings: Settings,
    xml: str,
    name: str,
    examples: Sequence[tuple[Input, str]],
    recipe: Recipe,
) -> ControlVersion:
    control = parse_config(xml).control(name)
    assert control is not None
    converter = CONVERTERS[control.tag]
    kind, labels = converter.kind(control), converter.label_space(control)
    assert kind is not None
    chosen = family(default_family(kind), settings.weights_dir)
    encoder = chosen.encoder()
    assert encoder is not None
    vectors = encoder.encode([value for value, _ in examples])
    pairs = zip(vectors, examples, strict=True)
    taught = [ClassificationExample(Item(value, row), frozenset({label})) for row, (value, label) in pairs]
    trained = chosen.train(taught, labels, recipe)
    with TemporaryDirectory() as folder:
        trained.model.save(Path(folder))
        digest = Artifacts(store).put(Path(folder))
    post = postprocess_of(kind).fit(trained.out_of_fold, [example.labels for example in taught], labels)
    return ControlVersion(chosen.name, digest, labels.names, postprocess=post.to_json())
