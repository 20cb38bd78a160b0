from __future__ import annotations

import pytest

from model_zoo.object_detection.coco import ALSO, COVERS, columns
from model_zoo.types import LabelSpace

CLASSES = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "wine glass", "tv")


def meant(name: str, *words: str) -> set[str]:
    (row,) = columns(LabelSpace((name,), descriptions=((name, *words),)), CLASSES)
    return {CLASSES[at] for at in row}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("person", {"person"}),
        ("Pedestrians", {"person"}),
        ("TRAFFIC_LIGHT", {"traffic light"}),
        ("Wine-Glasses", set()),
        ("wine glass", {"wine glass"}),
        ("motorbikes", {"motorcycle"}),
        ("vehicle", {"car", "motorcycle", "bus", "truck", "bicycle"}),
        ("buses", set()),
        ("bus", {"bus"}),
        ("raccoon", set()),
        ("", set()),
    ],
)
def test_labels_are_recognised_by_name(name: str, expected: set[str]) -> None:
    assert meant(name) == expected


def test_aliases_and_predicted_values_count_as_names() -> None:
    assert meant("PKW", "car") == {"car"}
    assert meant("Fahrzeug", "car", "truck") == {"car", "truck"}
    assert meant("thing", "a hint that speaks of a car") == set()


def test_labels_without_descriptions_have_their_names() -> None:
    assert columns(LabelSpace(("car", "sign")), CLASSES) == ((2,), ())


def test_no_other_name_belongs_to_two_classes() -> None:
    words = [word for row in ALSO.values() for word in row]
    assert len(words) == len(set(words))
    assert not set(words) & set(COVERS)
