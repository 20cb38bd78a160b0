"""Features: once per content, kept, and one unreadable input costs one task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.jobs.collaborators import Collaborators, build_collaborators
from backend.jobs.featurise import BATCH, Featuriser
from backend.labelstudio.config import Control, parse_config
from backend.settings import Settings
from backend.store.features import FeatureStore
from model_zoo.base import Progress, Watch
from model_zoo.errors import Cancelled
from model_zoo.image_classification.efficientnet_lite0_linear import EfficientNetLite0Linear
from model_zoo.registry import family
from model_zoo.text_classification.minilm_linear import MiniLMLinear

UID = "1.1795149789"
TEXT = parse_config(
    '<View><Text name="text" value="$text"/><Choices name="c" toName="text"><Choice value="a"/></Choices></View>'
).controls[0]
IMAGE = parse_config(
    '<View><Image name="image" value="$image"/><Choices name="c" toName="image"><Choice value="a"/></Choices></View>'
).controls[0]
HEAD = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"
PNG = f"{HEAD}CAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
BROKEN = f"{HEAD}CAYAAAAf"


@pytest.fixture
def parts(tmp_path: Path) -> Collaborators:
    return build_collaborators(Settings(data_dir=tmp_path, redis_url="redis://127.0.0.1:1/0", torch_threads=1))  # type: ignore[arg-type]


class Counted:
    """How many inputs a featuriser has encoded, by what it says of its steps."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.steps.append((done, total))

    @property
    def encoded(self) -> int:
        return self.steps[-1][1] if self.steps else 0


def texts(*values: Any) -> list[dict[str, Any]]:
    return [{"id": number, "data": {"text": value}} for number, value in enumerate(values, start=1)]


def encode(parts: Collaborators, control: Control, tasks: list[dict[str, Any]]) -> tuple[Any, Counted]:
    counted = Counted()
    name = MiniLMLinear.name if control is TEXT else EfficientNetLite0Linear.name
    featuriser = Featuriser(UID, FeatureStore(parts.store), parts.inputs)
    return featuriser.items(control, family(name), tasks, counted), counted


def test_each_content_is_encoded_once(parts: Collaborators) -> None:
    found, counted = encode(parts, TEXT, texts("one", "two", "one"))
    assert counted.encoded == 2
    assert np.array_equal(found.items[0].features, found.items[2].features)
    assert not np.array_equal(found.items[0].features, found.items[1].features)
    again, counted = encode(parts, TEXT, texts("two", "one", "three"))
    assert counted.encoded == 1
    assert np.array_equal(again.items[1].features, found.items[0].features)


def test_batches_are_kept_as_they_come(parts: Collaborators) -> None:
    """A process that is killed in the middle loses a batch at most."""
    name = family(MiniLMLinear.name)
    encoder = name.encoder()
    assert encoder is not None

    class Stop(Exception):
        pass

    def stop_after_the_first(done: int, total: int) -> None:
        raise Stop

    tasks = texts(*(f"text {number}" for number in range(BATCH + 3)))
    featuriser = Featuriser(UID, FeatureStore(parts.store), parts.inputs)
    with pytest.raises(Stop):
        featuriser.items(TEXT, name, tasks, stop_after_the_first)
    assert len(featuriser.unread(TEXT, name, tasks)) == 3
    _, counted = encode(parts, TEXT, tasks)
    assert counted.steps == [(3, 3)]


def test_unusable_tasks_say_why_and_cost_nobody_else(parts: Collaborators) -> None:
    found, _ = encode(parts, TEXT, texts("good", None, 7, "", "good too"))
    assert [item is not None for item in found.items] == [True, False, False, False, True]
    assert sorted(found.problems) == [1, 2, 3]
    assert "wants a text" in found.problems[1]


def test_unreadable_image_costs_one_image(parts: Collaborators) -> None:
    tasks = [{"id": number, "data": {"image": value}} for number, value in enumerate((PNG, BROKEN, PNG, BROKEN), 1)]
    tasks.append({"id": 9, "data": {}})
    found, _ = encode(parts, IMAGE, tasks)
    assert [item is not None for item in found.items] == [True, False, True, False, False]
    assert sorted(found.problems) == [1, 3, 4]


def test_nothing_is_legal(parts: Collaborators) -> None:
    found, counted = encode(parts, TEXT, [])
    assert (found.items, found.problems, counted.steps) == ([], {}, [])


def test_stopping_on_request(parts: Collaborators) -> None:
    def told(progress: Progress) -> None:
        """Nothing to tell."""

    watch = Watch(told, cancelled=lambda: True)
    featuriser = Featuriser(UID, FeatureStore(parts.store), parts.inputs)
    with pytest.raises(Cancelled):
        featuriser.items(TEXT, family(MiniLMLinear.name), texts("one"), watch=watch)
