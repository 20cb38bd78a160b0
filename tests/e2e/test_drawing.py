"""Boxes that a person draws in the browser, against the pixels that the zoo reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from backend.converters import CONVERTERS
from backend.labelstudio.config import parse_config
from model_zoo.images import read_image
from model_zoo.postprocess import DetectionDecision
from model_zoo.types import Box, Item
from tests.e2e.drawing import Area, Canvas
from tests.e2e.labelling_page import LabellingPage
from tests.label_studio import LabelStudioInstance

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

WIDTH, HEIGHT = 300, 400
PAINTED: Area = (60, 220, 180, 300)
SIDEWAYS = 6
"""The EXIF orientation of a phone that was held upright."""

LABELS = '<Label value="Car"/><Label value="Traffic sign" alias="sign"/>'
CONFIGS = {
    "RectangleLabels": f'<RectangleLabels name="box" toName="image">{LABELS}</RectangleLabels>',
    "Rectangle": f'<Rectangle name="box" toName="image"/><Labels name="what" toName="image">{LABELS}</Labels>',
}


def config(tag: str) -> str:
    return f'<View><Image name="image" value="$image" rotateControl="true"/>{CONFIGS[tag]}</View>'


def photograph(path: Path) -> Path:
    """An upright image with a red rectangle at `PAINTED`, stored sideways as phones do."""
    upright = Image.new("RGB", (WIDTH, HEIGHT), "gray")
    ImageDraw.Draw(upright).rectangle((PAINTED[0], PAINTED[1], PAINTED[2] - 1, PAINTED[3] - 1), fill="red")
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    upright.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)
    return path


@pytest.mark.parametrize(("tag", "quarter_turns"), [("RectangleLabels", 0), ("RectangleLabels", 1), ("Rectangle", 0)])
def test_a_drawn_box_is_where_it_was_drawn(
    label_studio: LabelStudioInstance, labelling: LabellingPage, tmp_path: Path, tag: str, quarter_turns: int
) -> None:
    """Of a photograph taken sideways, also when the view is turned before drawing: within two pixels."""
    picture = photograph(tmp_path / "photograph.jpg")
    project = label_studio.new_project(config(tag), title=f"drawn {tag} {quarter_turns}")
    task = project.upload(picture)
    labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    for _ in range(quarter_turns):
        canvas.turn()
    canvas.draw("Car", PAINTED, quarter_turns)
    canvas.draw("Traffic sign", (200, 20, 280, 80), quarter_turns)
    labelling.screenshot(f"drawn-{tag}-{quarter_turns}")
    labelling.page.get_by_label("Submit current annotation").click()
    result = submitted(labelling, project, task)
    (control,) = parse_config(config(tag)).controls
    converter = CONVERTERS[tag]
    decoded = converter.decode(control, result)
    assert decoded is not None
    boxes = converter.target(decoded, Item(picture))
    assert isinstance(boxes, tuple)
    assert [box.label for box in boxes] == ["Car", "sign"]
    assert boxes[0].corners == pytest.approx(PAINTED, abs=2)
    assert boxes[1].corners == pytest.approx((200, 20, 280, 80), abs=2)
    assert is_red(picture, boxes[0])


@pytest.mark.parametrize("tag", list(CONFIGS))
def test_a_proposed_box_is_shown_where_it_was_found_and_comes_back_as_it_was(
    label_studio: LabelStudioInstance, labelling: LabellingPage, tmp_path: Path, tag: str
) -> None:
    """What `encode` gives is what the editor shows, keeps under its ids, and submits."""
    picture = photograph(tmp_path / "photograph.jpg")
    project = label_studio.new_project(config(tag), title=f"proposed {tag}")
    task = project.upload(picture)
    (control,) = parse_config(config(tag)).controls
    converter = CONVERTERS[tag]
    found = (Box(*PAINTED, "Car"), Box(200, 20, 280, 80, "sign"))
    decision = DetectionDecision(found, (0.9, 0.4), np.array([0.9, 0.4], np.float32), 0.5, WIDTH, HEIGHT)
    regions = converter.encode(control, decision, key=f"{task}:v1")
    body = {"task": task, "result": regions, "score": 0.5, "model_version": "v1"}
    label_studio.call("POST", "/api/predictions/", json=body)
    project.patch(model_version="v1")
    labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    canvas.expect_regions(len(found))
    labelling.screenshot(f"proposed-{tag}")
    labelling.page.get_by_label("Submit current annotation").click()
    result = submitted(labelling, project, task)
    assert {region["id"] for region in result} == {region["id"] for region in regions}
    decoded = converter.decode(control, result)
    assert decoded is not None
    boxes = converter.target(decoded, Item(picture))
    assert isinstance(boxes, tuple)
    assert [box.label for box in boxes] == ["Car", "sign"]
    for box, wanted in zip(boxes, found, strict=True):
        assert box.corners == pytest.approx(wanted.corners, abs=0.1)


def submitted(labelling: LabellingPage, project: Any, task: int) -> list[dict[str, Any]]:
    """The result of the task's annotation, once it is stored."""
    for _ in range(200):
        annotations = project.task(task)["annotations"]
        if annotations:
            return list(annotations[0]["result"])
        labelling.page.wait_for_timeout(100)
    raise AssertionError("Nothing was submitted within 20 s.")


def is_red(picture: Path, box: Box) -> bool:
    pixels = read_image(picture)[round(box.top) + 3 : round(box.bottom) - 3, round(box.left) + 3 : round(box.right) - 3]
    return bool((pixels[..., 0] > 200).mean() > 0.98 and (pixels[..., 1] < 60).mean() > 0.98)
