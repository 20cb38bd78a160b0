"""The manifest's round trip and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.errors import InvalidRequest, StoreError
from backend.store.manifest import ControlVersion, Manifest

CONTROL = ControlVersion(
    family="text_classification/minilm_linear.v1",
    artifact="a" * 64,
    labels=('b"l', "😀", "x" * 10_000),
    multiple=True,
    recipe={"name": "micro", "c": 1.5},
    postprocess={"thresholds": [0.5, 0.25, 0.1]},
    metrics={"accuracy": 0.75},
    trained_in="v2",
)
MANIFEST = Manifest(
    project="1.1795149789",
    name="v3",
    created=1795150000.25,
    fence=7,
    controls={"topic": CONTROL},
    parent="v2",
    snapshot="b" * 64,
    metrics={"labelled": 31.0},
    environment={"torch": "2.15"},
    notes=("Promoted: +0.1.",),
)


def test_round_trip() -> None:
    assert Manifest.from_json(json.loads(MANIFEST.to_bytes())) == MANIFEST


def test_keys_of_later_releases_are_ignored() -> None:
    value = json.loads(MANIFEST.to_bytes())
    value["controls"]["topic"]["colour"] = value["colour"] = "red"
    assert Manifest.from_json(value) == MANIFEST


@pytest.mark.parametrize("lost", ["project", "fence", "controls.topic.artifact"])
def test_an_incomplete_manifest_is_a_store_error(lost: str) -> None:
    value: Any = json.loads(MANIFEST.to_bytes())
    *path, last = lost.split(".")
    inner = value
    for key in path:
        inner = inner[key]
    del inner[last]
    with pytest.raises(StoreError, match="incomplete"):
        Manifest.from_json(value)


def test_a_manifest_of_a_later_format_asks_for_an_update() -> None:
    with pytest.raises(StoreError, match="Update Prelabel"):
        Manifest.from_json({**json.loads(MANIFEST.to_bytes()), "format": 2})


@pytest.mark.parametrize(("name", "fence"), [("v0", 1), ("v1", -1)])
def test_the_untrained_state_has_no_manifest(name: str, fence: int) -> None:
    with pytest.raises(StoreError, match="wanted v1 or later"):
        Manifest("1.2", name, 0.0, fence, {})


def test_a_path_is_no_name() -> None:
    with pytest.raises(InvalidRequest):
        Manifest("1.2", "../v1", 0.0, 1, {})
