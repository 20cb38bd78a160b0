"""Choices about single boxes: learnt with the boxes, and shown on those that are proposed, in a real Label Studio."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from playwright.sync_api import expect

from backend.demo.streets import HEIGHT, STREETS_CONFIG, WIDTH, Street, streets
from backend.labelstudio.config import parse_config
from tests.e2e.backend_process import eventually
from tests.e2e.drawing import PATIENCE, Canvas
from tests.e2e.installation import WEIGHTS, Installation
from tests.e2e.labelling_page import LabellingPage
from tests.label_studio import LabelStudioInstance

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.browser,
    pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is not installed"),
]

LABELLED = 6
TRAINING = 240.0
"""Seconds from the last annotation to the version; far more than two quiet cores need."""
"""Without pretrained weights no box may be found, and nothing be said of any."""
WISHES = {"prelabel_image_size": 320, "prelabel_views": 3, "prelabel_epochs": 20 if WEIGHTS else 4, "prelabel_folds": 2}
ATTRIBUTES = " ".join(f'{name}="{value}"' for name, value in WISHES.items())
CONFIG = STREETS_CONFIG.replace("<RectangleLabels ", f"<RectangleLabels {ATTRIBUTES} ").replace(
    "</View>",
    '<Choices name="moves" toName="image" perRegion="true" whenTagName="objects">'
    '<Choice value="it moves"/><Choice value="it stands"/></Choices></View>',
)
BOXES, CHOICES = parse_config(CONFIG).controls


def answer(scene: Street) -> list[dict[str, Any]]:
    """What the page sends: a box and what is chosen for it are two regions of one id."""
    result = []
    for number, drawn in enumerate(scene.objects):
        left, top, right, bottom = drawn.area
        place = {
            "x": left / WIDTH * 100,
            "y": top / HEIGHT * 100,
            "width": (right - left) / WIDTH * 100,
            "height": (bottom - top) / HEIGHT * 100,
            "rotation": 0,
        }
        shared = {"id": f"drawn{number}", "to_name": "image", "origin": "manual"}
        size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
        box = {"from_name": "objects", "type": "rectanglelabels", "value": {**place, "rectanglelabels": [drawn.label]}}
        said = "it stands" if drawn.label == "Sign" else "it moves"
        choice = {"from_name": "moves", "type": "choices", "value": {**place, "choices": [said]}}
        result += [{**shared, **size, **part} for part in (box, choice)]
    return result


def test_choices_are_shown_on_the_boxes_that_are_proposed(
    pinned: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(CONFIG, title="what moves")
    scenes = {scene.name: scene for scene in streets(LABELLED + 3)}
    tasks = project.upload_images({name: scene.jpeg for name, scene in scenes.items()})
    shown = {task: scenes[name] for task, name in tasks.items()}
    pinned.connect(label_studio, project)
    for task, scene in list(shown.items())[:LABELLED]:
        project.submit(task, answer(scene))
    version = pinned.await_version(project, LABELLED, TRAINING)

    waiting = list(shown)[LABELLED:]
    eventually(lambda: project.shows(version, waiting), "a prediction of every scene", 120.0)
    rows: dict[int, Any] = {task: project.predictions(task)[-1] for task in waiting}
    config = parse_config(CONFIG)
    right = []
    for row in rows.values():
        assert config.validate({"result": row["result"], "score": row["score"]}) == []
        boxes = {one["id"]: one for one in row["result"] if one["from_name"] == BOXES.name}
        said = {one["id"]: one for one in row["result"] if one["from_name"] == CHOICES.name}
        assert said.keys() == boxes.keys()
        for key, one in said.items():
            stands = boxes[key]["value"]["rectanglelabels"] == ["Sign"]
            right.append(one["value"]["choices"] == ["it stands" if stands else "it moves"])
    if WEIGHTS:
        assert right
        assert sum(right) >= 0.7 * len(right)

    opened = labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    assert opened.version == version
    count = sum(one["from_name"] == BOXES.name for one in rows[opened.task]["result"])
    canvas.expect_regions(count)
    if count:
        labelling.page.locator(".lsf-tree__node:not(.lsf-tree__node_type_footer)").first.click()
        expect(labelling.page.get_by_text("it moves").first).to_be_visible(timeout=PATIENCE)
    labelling.screenshot("remarks-proposed")
