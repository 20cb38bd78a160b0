"""Every format is read as a project would have it, and what is broken in it is named with its line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.converters import CONVERTERS
from backend.errors import InvalidRequest
from backend.labelstudio.config import parse_config
from backend.simulation.labelled import Kind, LabelledSet
from backend.simulation.masks import box_of, polygon_mask, run_length_mask
from backend.simulation.readers import FORMATS, MaskValues, read_set
from backend.simulation.readers.conll import entities
from model_zoo.types import Box
from tests.backend.simulation import sets


def answers(found: LabelledSet) -> list[Any]:
    """What the loop's own converters make of the annotations."""
    control = parse_config(found.config).controls[0]
    return [CONVERTERS[control.tag].decode(control, task["annotations"][0]["result"]) for task in found.tasks]


def problems(found: LabelledSet) -> list[str]:
    """Where each problem is."""
    return [problem.file if problem.line is None else f"{problem.file}:{problem.line}" for problem in found.problems]


def rounded(boxes: Any) -> list[tuple[Any, ...]]:
    return [(*(round(edge, 3) for edge in box.corners), box.label) for box in boxes]


CAR = (10.0, 10.0, 30.0, 60.0)
"""In percent: the box from 8, 4 to 24, 24 on 80 x 40 pixels."""


def test_imagefolder(tmp_path: Path) -> None:
    found = read_set(sets.imagefolder(tmp_path), "imagefolder")
    assert found.kind is Kind.IMAGE_CLASSIFICATION
    assert [task["data"]["image"] for task in found.tasks] == ["cat/1.png", "cat/2.png", "dog/1.png"]
    assert answers(found) == [{"cat"}, {"cat"}, {"dog"}]
    assert problems(found) == ["dog/broken.png"]


def test_imagefolder_below_one_folder(tmp_path: Path) -> None:
    sets.imagefolder(tmp_path / "Dataset")
    assert read_set(tmp_path, "imagefolder").labels == ("cat", "dog")


def test_csv(tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text('id,label,text\n1,good,"two\nlines"\n2,,nothing\n3,bad\n4,bad,"it ""is"" bad"\n')
    found = read_set(file, "csv")
    assert [task["data"] for task in found.tasks] == [{"text": "two\nlines"}, {"text": 'it "is" bad'}]
    assert answers(found) == [{"good"}, {"bad"}]
    assert problems(found) == ["texts.csv:4", "texts.csv:5"]


def test_csv_of_two_columns_needs_no_name_for_the_label(tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text("text,intent\nhello,greeting\n")
    assert answers(read_set(file, "csv")) == [{"greeting"}]


def test_voc(tmp_path: Path) -> None:
    found = read_set(sets.voc(tmp_path), "voc")
    assert [rounded(answer) for answer in answers(found)] == [[(*CAR, "car"), (50.0, 10.0, 100.0, 60.0, "bus")]]
    assert problems(found) == ["annotations/a.xml:1", "annotations/b.xml:2", "annotations/c.xml"]


def test_coco_boxes(tmp_path: Path) -> None:
    found = read_set(sets.coco(tmp_path), "coco")
    assert found.labels == ("person",)
    assert [rounded(answer) for answer in answers(found)] == [[(*CAR, "person"), (37.5, 25.0, 62.5, 50.0, "person")]]
    assert [problem.message[:16] for problem in found.problems] == ["annotation 4 has", 'image "gone.png"']


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ([3, {"id": [1]}, {"file_name": "a.png"}], [3, None, {"category_id": [7]}, {"category_id": 7, "image_id": {}}]),
        ([{"id": 5, "file_name": "a.png", "width": "x", "height": 1}], []),
        ([{"id": 5, "file_name": "../../etc/passwd", "width": 8, "height": 8}], []),
        ([{"id": 5, "file_name": "train/a.png", "width": 80, "height": 40}],
         [{"category_id": 7, "image_id": 5, "bbox": bbox} for bbox in (None, [1], [1, 2, 0, 4], "abcd", [{}] * 4)]),
    ],
)  # fmt: skip
def test_coco_of_any_shape_is_read_as_far_as_it_goes(tmp_path: Path, images: list[Any], annotations: list[Any]) -> None:
    file = sets.coco(tmp_path)
    content = json.loads(file.read_text())
    content["images"] += images
    content["annotations"] += annotations
    file.write_text(json.dumps(content))
    found = read_set(file, "coco")
    assert found.tasks[0] == read_set(sets.coco(tmp_path / "whole"), "coco").tasks[0]
    assert len(found.problems) >= 2 + len(annotations) + len(images) - 1


def test_coco_masks_and_keypoints(tmp_path: Path) -> None:
    file = sets.coco(tmp_path)
    masks = read_set(file, "coco", "instance_segmentation").tasks[0]["annotations"][0]["result"]
    assert [decoded(region).sum() for region in masks] == [pytest.approx(160, rel=0.2), 200]
    points = read_set(file, "coco", "keypoints").tasks[0]["annotations"][0]["result"]
    said = [(region["from_name"], region["value"].get("choices")) for region in points]
    assert said == [
        ("instance", None), ("label", None), ("visibility", ["visible"]), ("label", None), ("visibility", ["hidden"]),
    ]  # fmt: skip
    assert {region.get("parentID") for region in points[1:]} == {points[0]["id"]}


def decoded(region: dict[str, Any]) -> Any:
    """The mask that Label Studio would draw."""
    from label_studio_sdk.converter.brush import decode_rle

    values = np.asarray(decode_rle(region["value"]["rle"])).reshape(sets.HEIGHT, sets.WIDTH, 4)
    return values[..., 3] > 0


def test_yolo(tmp_path: Path) -> None:
    found = read_set(sets.yolo(tmp_path), "yolo")
    assert found.labels == ("bus", "car")
    assert [rounded(answer) for answer in answers(found)] == [[(*CAR, "car"), (50.0, 25.0, 75.0, 50.0, "bus")], []]
    assert problems(found) == ["labels/train/a.txt:3", "labels/train/a.txt:4"]


def test_yolo_with_a_rectangle_that_is_askew(tmp_path: Path) -> None:
    folder = sets.yolo(tmp_path)
    across, down = np.array([20.0, 10.0]), np.array([-6.0, 12.0])
    start = np.array([20.0, 5.0])
    corners = np.array([start, start + across, start + across + down, start + down]) / [sets.WIDTH, sets.HEIGHT]
    line = " ".join(f"{share:.6f}" for share in corners.ravel())
    (folder / "labels" / "train" / "a.txt").write_text(f"1 {line}\n")
    (region,) = read_set(folder, "yolo").tasks[0]["annotations"][0]["result"]
    assert region["value"]["rotation"] == pytest.approx(np.degrees(np.arctan2(10, 20)), abs=0.1)
    assert region["value"]["x"] == pytest.approx(2000 / sets.WIDTH, abs=0.01)


@pytest.mark.parametrize(("values", "labels"), [("instance", ("object",)), ("class", ("1", "3"))])
def test_masks(tmp_path: Path, values: str, labels: tuple[str, ...]) -> None:
    found = read_set(sets.masks(tmp_path), "masks", mask_values=MaskValues(values))
    assert found.labels == labels
    assert [decoded(region).sum() for region in found.tasks[0]["annotations"][0]["result"]] == [320, 200]
    assert problems(found) == ["images/unmasked.jpg"]


def test_boxes_around_masks(tmp_path: Path) -> None:
    found = read_set(sets.masks(tmp_path), "masks", "object_detection")
    assert rounded(answers(found)[0]) == [(*CAR, "object"), (50.0, 25.0, 75.0, 50.0, "object")]


def test_keypoints_csv(tmp_path: Path) -> None:
    found = read_set(sets.keypoints_csv(tmp_path), "keypoints-csv")
    assert found.labels == ("nose", "tail")
    (region,) = found.tasks[0]["annotations"][0]["result"]
    assert region["value"] == {"x": 10.0, "y": 25.0, "width": 0.75, "keypointlabels": ["nose"]}
    assert problems(found) == ["labels.csv:5", "labels.csv:6"]


def test_conll(tmp_path: Path) -> None:
    found = read_set(sets.conll(tmp_path / "a.conll"), "conll")
    assert [task["data"]["text"] for task in found.tasks] == ["Ada Byron met Bell Labs", "Rome Paris"]
    spans = [
        [(region["value"]["text"], region["value"]["labels"]) for region in task["annotations"][0]["result"]]
        for task in found.tasks
    ]
    assert spans == [
        [("Ada Byron", ["person"]), ("Bell", ["person"]), ("Labs", ["group"])],
        [("Rome Paris", ["place"])],
    ]
    assert problems(found) == ["a.conll:9"]


def test_an_entity_ends_where_the_next_begins() -> None:
    assert entities([("a", "B-x"), ("b", "B-x"), ("c", "I-y"), ("d", "O"), ("e", "I-y")]) == [
        (0, 1, "x"), (2, 3, "x"), (4, 5, "y"), (8, 9, "y"),
    ]  # fmt: skip


def test_crowd(tmp_path: Path) -> None:
    found = read_set(sets.crowd(tmp_path), "crowd")
    assert found.tasks[0]["data"] == {"text": "10", "gold": "True"}
    said = [annotation["result"][0]["value"]["choices"] for annotation in found.tasks[0]["annotations"]]
    assert said == [["True"], ["False"]]
    assert len(found.tasks) == 2
    assert problems(found) == ["labels.yaml:1"]
    assert found.is_bare


def test_what_is_broken_is_named_with_its_line(tmp_path: Path) -> None:
    file = sets.voc(tmp_path / "voc") / "annotations" / "a.xml"
    file.write_text(file.read_text().replace("<object>", "\n<object>"))
    assert problems(read_set(tmp_path / "voc", "voc"))[0] == "annotations/a.xml:4"
    file = sets.coco(tmp_path / "coco")
    text = json.dumps(json.loads(file.read_text()), indent=1)
    file.write_text(text)
    lines = text.splitlines()
    wrong, gone = lines.index('   "id": 4,'), lines.index('   "id": 6,')
    assert {problem.line for problem in read_set(file, "coco").problems} == {gone, wrong - 1}
    folder = sets.crowd(tmp_path / "crowd")
    (folder / "labels.yaml").write_text("1: {10: true, 11: false}\n2:\n  10: [false]\n3: 7\n")
    (folder / "gt.yaml").write_text("10: true\n11: {}\n")
    assert problems(read_set(folder, "crowd")) == ["labels.yaml:2", "labels.yaml:4", "gt.yaml:2"]


def test_mot(tmp_path: Path) -> None:
    found = read_set(sets.mot(tmp_path), "mot")
    assert found.sequential
    assert [rounded(answer) for answer in answers(found)] == [
        [(*CAR, "pedestrian"), (50.0, 25.0, 62.5, 50.0, "car")], [],
    ]  # fmt: skip
    assert problems(found) == ["gt/gt.txt:3", "gt/gt.txt"]


@pytest.mark.parametrize(
    ("make", "format_name"),
    [(sets.voc, "voc"), (sets.coco, "coco"), (sets.yolo, "yolo"), (sets.masks, "masks"), (sets.mot, "mot")],
)
def test_label_studio_takes_the_configs(make: Callable[[Path], Path], format_name: str, tmp_path: Path) -> None:
    from label_studio_sdk.label_interface.interface import LabelInterface

    path = make(tmp_path)
    for kind in FORMATS[format_name].kinds:
        found = read_set(path, format_name, kind.value)
        interface: Any = LabelInterface(found.config)
        prediction = {"result": found.tasks[0]["annotations"][0]["result"], "score": 1.0}
        assert interface.validate_prediction(prediction, return_errors=True) == []


@pytest.mark.parametrize(
    ("format_name", "task", "says"),
    [("zip", None, "wanted one of"), ("voc", "keypoints", "can be read as"), ("voc", None, "holds nothing")],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, format_name: str, task: str | None, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        read_set(tmp_path, format_name, task)


def test_an_image_outside_of_the_set_is_not_there(tmp_path: Path) -> None:
    sets.picture(tmp_path / "c.png")
    (tmp_path / "set" / "deep").mkdir(parents=True)
    (tmp_path / "set" / "deep" / "a.xml").write_text("<annotation><filename>../../c.png</filename></annotation>")
    with pytest.raises(InvalidRequest, match="is not there"):
        read_set(tmp_path / "set", "voc")


@pytest.mark.skipif(sys.platform == "win32", reason="pycocotools")
def test_run_lengths_are_cocos() -> None:
    from pycocotools import mask as pycoco  # type: ignore[import-untyped]

    chance = np.random.default_rng(0)
    for _ in range(20):
        mask = chance.random((13, 17)) < 0.3
        packed = pycoco.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert (run_length_mask(packed["counts"].decode(), 13, 17) == mask).all()
        assert (run_length_mask(sets.run_lengths(mask), 13, 17) == mask).all()
    with pytest.raises(ValueError, match="wanted 4 x 4"):
        run_length_mask([3, 4], 4, 4)


def test_box_around_a_mask() -> None:
    assert box_of(polygon_mask([[2, 3, 5, 3, 5, 6, 2, 6]], (10, 10)), "x") == Box(2, 3, 6, 7, "x")
    assert box_of(np.zeros((4, 4), bool), "x") is None
