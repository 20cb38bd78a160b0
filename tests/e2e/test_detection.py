"""A detection project from its first boxes to predictions on the canvas, in a real Label Studio."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import pytest

from backend.converters import CONVERTERS
from backend.converters.geometry import in_pixels
from backend.demo.streets import HEIGHT, STREETS_CONFIG, WIDTH, Street, streets
from backend.evaluation.detection import DetectionEvaluation
from backend.labelstudio.config import Control, parse_config
from backend.projects.judgement import Outcome
from backend.store.manifest import Manifest
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from model_zoo.types import Box, Boxes
from tests.e2e.backend_process import eventually
from tests.e2e.drawing import Canvas
from tests.e2e.installation import WEIGHTS, Installation, uid_of
from tests.e2e.labelling_page import LabellingPage
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.browser,
    pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is not installed"),
]

SCENES = 16
LABELLED = 6
TRAINING = 480.0
"""Seconds from the last annotation to the version; far more than two quiet cores need."""

IN_THE_SKY = (300, 20, 380, 80)
"""An area where nothing is proposed, away from the edges, which the page may cut off."""

"""Without pretrained weights a detector learns from random numbers, and from six images not much."""
WISHES = {"image_size": 320, "views": 4, "epochs": 40 if WEIGHTS else 10, "folds": 2}
"""A short training is enough here, and shows that people's wishes reach it."""
CONFIG = STREETS_CONFIG.replace(
    "<RectangleLabels ",
    "<RectangleLabels " + " ".join(f'prelabel_{key}="{value}"' for key, value in WISHES.items()) + " ",
)
(CONTROL,) = parse_config(CONFIG).controls
CONVERTER = CONVERTERS[CONTROL.tag]


def region(number: int, control: Control, box: Box) -> dict[str, Any]:
    """What the page sends for a drawn box, in pixels of a scene."""
    value = {
        "x": box.left / WIDTH * 100,
        "y": box.top / HEIGHT * 100,
        "width": (box.right - box.left) / WIDTH * 100,
        "height": (box.bottom - box.top) / HEIGHT * 100,
        "rotation": 0,
        "rectanglelabels": [box.label],
    }
    return {
        "id": f"drawn{number}",
        "from_name": control.name,
        "to_name": control.to_name,
        "type": "rectanglelabels",
        "origin": "manual",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
    }


def truth(scene: Street) -> Boxes:
    return tuple(Box(*drawn.area, drawn.label) for drawn in scene.objects)


def draw_all(project: TestProject, task: int, scene: Street) -> None:
    """Submit the scene's true boxes, as somebody who draws them does."""
    result = [region(number, CONTROL, box) for number, box in enumerate(truth(scene))]
    project.submit(task, result)


def upload(project: TestProject, scenes: Sequence[Street]) -> dict[int, Street]:
    """A task of each scene; which is whose."""
    by_name = {scene.name: scene for scene in scenes}
    tasks = project.upload_images({name: scene.jpeg for name, scene in by_name.items()})
    return {task: by_name[name] for task, name in tasks.items()}


def predicted(project: TestProject, task: int) -> Boxes | None:
    """The boxes of the task's newest prediction, in pixels; None without one."""
    rows = project.predictions(task)
    if not rows:
        return None
    decoded = CONVERTER.decode(CONTROL, rows[-1]["result"])
    assert decoded is not None, rows[-1]
    return tuple(in_pixels(box, WIDTH, HEIGHT) for box in decoded if isinstance(box, Box))


def manifest(pinned: Installation, project: TestProject, version: str) -> Manifest:
    return Versions(ObjectStore(pinned.settings.store_address)).get(uid_of(project), version)


def test_boxes_are_learnt_proposed_on_the_canvas_and_judged(
    pinned: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(CONFIG, title="streets")
    scenes = upload(project, list(streets(SCENES)))
    pinned.connect(label_studio, project)
    for task, scene in list(scenes.items())[:LABELLED]:
        draw_all(project, task, scene)
    version = pinned.await_version(project, LABELLED, TRAINING)
    recipe = manifest(pinned, project, version).controls[CONTROL.name].recipe
    assert recipe["overrides"] == WISHES
    assert WISHES.items() <= recipe.items()

    waiting = list(scenes)[LABELLED:]
    eventually(lambda: project.shows(version, waiting), "a prediction of every scene", 120.0)
    rows = [row for task in waiting for row in project.predictions(task)]
    assert {row["model_version"] for row in rows} == {version}
    assert all(0 <= row["score"] <= 1 for row in rows)
    config = parse_config(CONFIG)
    assert [config.validate({"result": row["result"], "score": row["score"]}) for row in rows] == [[]] * len(rows)
    proposed: dict[int, Boxes] = {task: predicted(project, task) or () for task in waiting}
    if WEIGHTS:
        right = DetectionEvaluation().scores(list(proposed.values()), [truth(scenes[task]) for task in waiting])
        assert right.mean() > 0.5, f"six scenes taught too little: {right.round(2).tolist()}"

    opened = labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    assert opened.version == version
    shown = len(proposed[opened.task])
    canvas.expect_regions(shown)
    labelling.screenshot("detection-proposed")
    canvas.draw("Sign", IN_THE_SKY)
    labelling.screenshot("detection-corrected")
    labelling.page.get_by_label("Submit current annotation").click()

    def judged() -> Any:
        return [entry for entry in pinned.judgements(project) if entry.task == opened.task]

    (entry,) = eventually(judged, "the correction to be judged", TRAINING)
    assert entry.version == version
    if shown:
        assert (entry.outcome, entry.edits) == (Outcome.CORRECTED, 1)
