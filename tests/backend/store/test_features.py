"""Stored features: exact, found by content, merged without loss, bounded in memory."""

from __future__ import annotations

import numpy as np
import pytest

from backend.errors import StoreError
from backend.store.features import FeatureStore, feature_key
from backend.store.objects import ObjectStore
from model_zoo.types import FloatArray

UID = "1.1795149789"
ENCODER = "minilm_l6_v2.v1"


def vectors(first: int, count: int, dimensions: int = 8) -> dict[str, FloatArray]:
    random = np.random.default_rng(first)
    rows = random.normal(size=(count, dimensions)).astype(np.float32)
    return {feature_key(str(first + row)): rows[row] for row in range(count)}


@pytest.fixture
def features(store: ObjectStore) -> FeatureStore:
    return FeatureStore(store)


def same(one: dict[str, FloatArray], other: dict[str, FloatArray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def test_features_come_back_exactly(features: FeatureStore, store: ObjectStore) -> None:
    added = {**vectors(0, 3), **vectors(100, 2)}
    features.add(UID, ENCODER, vectors(0, 3))
    features.add(UID, ENCODER, vectors(100, 2))
    unknown = feature_key("unknown")
    for reader in (features, FeatureStore(store)):
        assert same(reader.get(UID, ENCODER, [*added, unknown, unknown]), added)
        assert reader.missing(UID, ENCODER, [unknown, *added, unknown]) == [unknown]


def test_projects_and_encoders_are_kept_apart(features: FeatureStore) -> None:
    features.add(UID, ENCODER, vectors(0, 1))
    assert features.get(UID, "minilm_l6_v2.v2", vectors(0, 1)) == {}
    assert features.get("2.2", ENCODER, vectors(0, 1)) == {}
    assert features.get(UID, "../../other", vectors(0, 1)) == {}


def test_another_process_s_features_are_found(features: FeatureStore, store: ObjectStore) -> None:
    assert features.missing(UID, ENCODER, vectors(0, 1)) == list(vectors(0, 1))
    FeatureStore(store).add(UID, ENCODER, vectors(0, 1))
    assert same(features.get(UID, ENCODER, vectors(0, 1)), vectors(0, 1))


def test_many_small_segments_are_merged_without_loss(features: FeatureStore, store: ObjectStore) -> None:
    reader = FeatureStore(store)
    expected: dict[str, FloatArray] = {}
    for number in range(80):
        expected |= vectors(number * 10, 2)
        features.add(UID, ENCODER, vectors(number * 10, 2))
        if number == 10:
            reader.get(UID, ENCODER, expected)
    assert len(store.list("projects")) <= 40
    for other in (features, reader, FeatureStore(store)):
        assert same(other.get(UID, ENCODER, expected), expected)


def test_a_segment_that_was_merged_away_after_it_was_found_is_looked_up_again(store: ObjectStore) -> None:
    expected = vectors(0, 2) | vectors(10, 2)
    reader = FeatureStore(store, max_bytes=1)
    FeatureStore(store).add(UID, ENCODER, vectors(0, 2))
    FeatureStore(store).add(UID, ENCODER, vectors(10, 2))
    reader.get(UID, ENCODER, expected)
    names = store.list("projects")
    FeatureStore(store).add(UID, ENCODER, expected)
    for name in names:
        store.delete(name)
    assert same(reader.get(UID, ENCODER, expected), expected)


def test_memory_is_bounded(local: ObjectStore) -> None:
    features = FeatureStore(local, max_bytes=3 * 100 * (8 * 4 + 32))
    expected: dict[str, FloatArray] = {}
    for number in range(10):
        expected |= vectors(number * 1000, 100)
        features.add(UID, ENCODER, vectors(number * 1000, 100))
    assert same(features.get(UID, ENCODER, expected), expected)
    held = features._segments._held
    assert 1 <= len(held) <= 3


def test_stored_features_cannot_be_changed_by_a_reader(features: FeatureStore) -> None:
    features.add(UID, ENCODER, vectors(0, 1))
    (row,) = features.get(UID, ENCODER, vectors(0, 1)).values()
    with pytest.raises(ValueError, match="read-only"):
        row[0] = 0


def test_keys_are_of_the_content() -> None:
    assert feature_key("ä") == feature_key("ä".encode())
    assert feature_key("a") != feature_key("b")
    assert len(feature_key("\ud800")) == 64


@pytest.mark.parametrize(
    "wrong",
    [
        {feature_key("a"): np.zeros(3, np.float32), feature_key("b"): np.zeros(4, np.float32)},
        {feature_key("a"): np.zeros((1, 3), np.float32)},
        {"a": np.zeros(3, np.float32)},
        {"abcd": np.zeros(3, np.float32)},
    ],
)
def test_other_shapes_and_keys_are_refused(features: FeatureStore, wrong: dict[str, FloatArray]) -> None:
    with pytest.raises(StoreError, match="wanted"):
        features.add(UID, ENCODER, wrong)


def test_a_damaged_segment_is_named(features: FeatureStore, store: ObjectStore) -> None:
    features.add(UID, ENCODER, vectors(0, 1))
    (name,) = store.list("projects")
    store.write(name, b"\xff" * 40)
    with pytest.raises(StoreError, match="is damaged"):
        FeatureStore(store).get(UID, ENCODER, vectors(0, 1))
