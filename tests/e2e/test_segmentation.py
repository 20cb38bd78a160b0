"""Painted objects from the first labels to masks on the canvas, in a real Label Studio."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from backend.converters import CONVERTERS
from backend.demo.streets import HEIGHT, STREETS_CONFIG, WIDTH, Street, streets
from backend.labelstudio.config import parse_config
from backend.simulation.regions import masks
from model_zoo.masks import mask_of, mask_overlaps
from model_zoo.targets import all_of
from model_zoo.types import Mask
from tests.e2e.backend_process import eventually
from tests.e2e.drawing import Canvas
from tests.e2e.installation import WEIGHTS, Installation
from tests.e2e.labelling_page import LabellingPage
from tests.label_studio import LabelStudioInstance, TestProject

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.browser,
    pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is not installed"),
]

LABELLED = 4
TRAINING = 240.0
"""Seconds from the last annotation to the version; far more than two quiet cores need."""
"""Without pretrained weights a segmenter begins with random numbers and learns nothing from four images; what is
promised then is that it shows nothing wrong."""
RIGHT = 0.5
"""Overlap from which on a mask is the true one of its label."""
WISHES = {"prelabel_image_size": 320, "prelabel_views": 3, "prelabel_epochs": 20 if WEIGHTS else 4, "prelabel_folds": 2}
ATTRIBUTES = " ".join(f'{name}="{value}"' for name, value in WISHES.items())
PAINTED = STREETS_CONFIG.replace("RectangleLabels", "BrushLabels").replace("Draw a box around", "Paint")
CONFIG = PAINTED.replace("<BrushLabels ", f"<BrushLabels {ATTRIBUTES} ")
(CONTROL,) = parse_config(CONFIG).controls


def upload(project: TestProject, scenes: Sequence[Street]) -> dict[int, Street]:
    """A task of each scene; which is whose."""
    by_name = {scene.name: scene for scene in scenes}
    tasks = project.upload_images({name: scene.jpeg for name, scene in by_name.items()})
    return {task: by_name[name] for task, name in tasks.items()}


def paint(project: TestProject, task: int, scene: Street) -> None:
    """Submit the scene's objects painted, as somebody with a broad brush does."""
    found = []
    for drawn in scene.objects:
        mask = np.zeros((HEIGHT, WIDTH), np.bool_)
        left, top, right, bottom = map(int, drawn.area)
        mask[top:bottom, left:right] = True
        found.append((mask, drawn.label))
    names = {"from_name": CONTROL.name, "to_name": CONTROL.to_name, "origin": "manual"}
    result = [{**region, **names} for region in masks(found, (WIDTH, HEIGHT))]
    project.submit(task, result)


def judged(found: Sequence[Mask], scene: Street) -> tuple[int, int]:
    """How many masks are those of the scene's objects, and how many are not."""
    true: list[Mask] = []
    for drawn in scene.objects:
        left, top, right, bottom = map(int, drawn.area)
        mask = mask_of(drawn.label, np.ones((bottom - top, right - left), np.bool_), (WIDTH, HEIGHT), (left, top))
        true += [mask] if mask is not None else []
    hit = 0
    for mask in found:
        same = [one for one in true if one.label == mask.label]
        shares = mask_overlaps([mask], same)[0] if same else np.zeros(1)
        if shares.max() >= RIGHT:
            true.remove(same[int(shares.argmax())])
            hit += 1
    return hit, len(found) - hit


def test_masks_are_learnt_and_proposed_on_the_canvas(
    pinned: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(CONFIG, title="painted streets")
    scenes = upload(project, list(streets(LABELLED + 3)))
    pinned.connect(label_studio, project)
    for task, scene in list(scenes.items())[:LABELLED]:
        paint(project, task, scene)
    version = pinned.await_version(project, LABELLED, TRAINING)

    waiting = list(scenes)[LABELLED:]
    eventually(lambda: project.shows(version, waiting), "a prediction of every scene", 120.0)
    rows: dict[int, Any] = {task: project.predictions(task)[-1] for task in waiting}
    config = parse_config(CONFIG)
    hits, wrong, objects = 0, 0, sum(len(scenes[task].objects) for task in waiting)
    for task, row in rows.items():
        assert config.validate({"result": row["result"], "score": row["score"]}) == []
        found = CONVERTERS[CONTROL.tag].decode(CONTROL, row["result"])
        assert found is not None
        proposed = all_of(Mask, found)
        assert len(proposed) == len(row["result"])
        right, not_right = judged(proposed, scenes[task])
        hits, wrong = hits + right, wrong + not_right
    assert wrong <= (hits / 2 if WEIGHTS else 0), f"{wrong} of {hits + wrong} masks are wrong"
    if WEIGHTS:
        assert hits >= objects / 2, f"{hits} of {objects} objects were found"

    opened = labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    assert opened.version == version
    canvas.expect_regions(len(rows[opened.task]["result"]))
    labelling.page.wait_for_timeout(1_000)  # masks are painted after they are listed
    labelling.screenshot("segmentation-proposed")
