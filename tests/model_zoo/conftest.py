"""Small inputs that real encoders tell apart at a glance. Features are computed once a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from model_zoo.base import Family
from model_zoo.image_classification.mobilenet_v2_linear import MobileNetV2Linear
from model_zoo.outside import outside_family
from model_zoo.registry import FAMILIES, family
from model_zoo.types import ClassificationExample, Input, Item, TaskKind

LABELS = ("pay & bills", "travel 🚆", "food")

TEXTS = {
    "pay & bills": ["My invoice is wrong", "I was charged twice", "When is the bill due?", "Refund my payment please"],
    "travel 🚆": [
        "The train was late",
        "Which platform for Paris?",
        "I missed my flight",
        "Is there a bus to the airport?",
    ],
    "food": ["The soup was cold", "A table for two", "Is the curry spicy?", "I would like more bread"],
}


def _images() -> dict[str, list[Input]]:
    """Stripes down, stripes across, and noise: 48 x 64 pixels each."""
    random = np.random.default_rng(0)
    down = np.indices((48, 64))[1]
    across = np.indices((48, 64))[0]
    drawn: dict[str, list[Input]] = {label: [] for label in LABELS}
    for step in (3, 4, 5, 6):
        for label, plane in zip(LABELS, (down // step % 2, across // step % 2, random.random((48, 64))), strict=True):
            drawn[label].append(np.repeat((plane * 255).astype(np.uint8)[:, :, None], 3, axis=2))
    return drawn


def _inputs(task: TaskKind) -> Mapping[str, list[Input]]:
    if task is TaskKind.TEXT_CLASSIFICATION:
        return {label: list(texts) for label, texts in TEXTS.items()}
    return _images()


CLASSIFIERS = (TaskKind.TEXT_CLASSIFICATION, TaskKind.IMAGE_CLASSIFICATION)


def mobilenet_v2(folder: Path) -> None:
    """torchvision's network as it publishes it, with random numbers in it."""
    import torch
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    torch.save(mobilenet_v2().state_dict(), folder / "mobilenet_v2_features_torchvision.pth")


UNTRAINED: Mapping[str, Callable[[Path], None]] = {MobileNetV2Linear.name: mobilenet_v2}
"""Families whose weights no package brings: what puts such, untrained, into a folder."""


README_FAMILY = "my_families.LettersLinear"


@pytest.fixture(scope="session")
def readme_family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Family]]:
    """The family that the README writes, imported as an operator has it imported."""
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    code = text.split("<!-- family -->\n```python\n")[1].split("```")[0]
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "my_families.py").write_text(code, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield outside_family(README_FAMILY)
        sys.modules.pop("my_families")


@pytest.fixture(scope="session", params=[*(kind.name for kind in FAMILIES if kind.task in CLASSIFIERS), README_FAMILY])
def some_family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    if request.param == README_FAMILY:
        outside = request.getfixturevalue("readme_family")
        return family(outside.name, outside=[outside])
    if request.param not in UNTRAINED:
        return family(request.param)
    folder = tmp_path_factory.mktemp("weights")
    UNTRAINED[request.param](folder)
    return family(request.param, folder)


@pytest.fixture(scope="session")
def raw_examples(some_family: Family) -> list[ClassificationExample]:
    """Four examples of each label, without features, label after label."""
    return [
        ClassificationExample(Item(value), frozenset([label]))
        for label, values in _inputs(some_family.task).items()
        for value in values
    ]


@pytest.fixture(scope="session")
def examples(some_family: Family, raw_examples: list[ClassificationExample]) -> list[ClassificationExample]:
    """The same, with features and without inputs."""
    encoder = some_family.encoder()
    assert encoder is not None
    rows = encoder.encode([example.item.input for example in raw_examples])
    return [
        ClassificationExample(Item(features=row), example.labels)
        for row, example in zip(rows, raw_examples, strict=True)
    ]
