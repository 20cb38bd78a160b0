"""Images painted all over, from the first labels to a map on the canvas, in a real Label Studio."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from backend.converters import CONVERTERS
from backend.converters.maps import is_map
from backend.labelstudio.config import parse_config
from backend.simulation.regions import masks
from model_zoo.masks import picture
from model_zoo.targets import some_of
from model_zoo.types import Mask
from tests.e2e.backend_process import eventually
from tests.e2e.drawing import Canvas
from tests.e2e.installation import Installation
from tests.e2e.labelling_page import LabellingPage
from tests.label_studio import LabelStudioInstance, TestProject
from tests.model_zoo.semantic_segmentation.landscapes import LABELS, landscape

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

WIDTH, HEIGHT = 320, 240
LABELLED = 3
TRAINING = 120.0
"""Seconds from the last annotation to the version; far more than two quiet cores need."""
WISHES = {"prelabel_image_size": 160, "prelabel_views": 3, "prelabel_epochs": 20, "prelabel_folds": 2}
ATTRIBUTES = " ".join(f'{name}="{value}"' for name, value in WISHES.items())
COLOURS = ("#2563eb", "#16a34a", "#ea580c")
CONFIG = (
    f'<View><Image name="image" value="$image" zoom="true"/><BrushLabels name="areas" toName="image" {ATTRIBUTES}>'
    + "".join(f'<Label value="{name}" background="{colour}"/>' for name, colour in zip(LABELS, COLOURS, strict=True))
    + "</BrushLabels></View>"
)
(CONTROL,) = parse_config(CONFIG).controls


def upload(project: TestProject, seeds: range) -> dict[int, int]:
    """A task of each landscape; which is whose."""
    by_name = {f"land-{seed}.png": seed for seed in seeds}
    images = {}
    for name, seed in by_name.items():
        buffer = io.BytesIO()
        Image.fromarray(landscape(seed, (WIDTH, HEIGHT))[0]).save(buffer, "PNG")
        images[name] = buffer.getvalue()
    return {task: by_name[name] for task, name in project.upload_images(images).items()}


def paint(project: TestProject, task: int, seed: int) -> None:
    """Submit the landscape painted all over, each label once."""
    _, classes = landscape(seed, (WIDTH, HEIGHT))
    found = [(classes == index, name) for index, name in enumerate(LABELS) if (classes == index).any()]
    names = {"from_name": CONTROL.name, "to_name": CONTROL.to_name, "origin": "manual"}
    result = [{**region, **names} for region in masks(found, (WIDTH, HEIGHT))]
    project.submit(task, result)


def test_a_map_is_learnt_and_proposed_on_the_canvas(
    pinned: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    """Nothing in the config says that it is one: what people paint does."""
    project = label_studio.new_project(CONFIG, title="painted landscapes")
    lands = upload(project, range(1, LABELLED + 4))
    pinned.connect(label_studio, project)
    for task, seed in list(lands.items())[:LABELLED]:
        paint(project, task, seed)
    version = pinned.await_version(project, LABELLED, TRAINING)

    waiting = list(lands)[LABELLED:]
    eventually(lambda: project.shows(version, waiting), "a prediction of every landscape", 60.0)
    rows: dict[int, Any] = {task: project.predictions(task)[-1] for task in waiting}
    config = parse_config(CONFIG)
    for task, row in rows.items():
        assert config.validate({"result": row["result"], "score": row["score"]}) == []
        found = CONVERTERS[CONTROL.tag].decode(CONTROL, row["result"])
        assert is_map(found or ()), "every pixel has one label"
        drawn = picture(some_of(Mask, found or ()), LABELS, (WIDTH, HEIGHT))
        right = drawn == landscape(lands[task], (WIDTH, HEIGHT))[1]
        assert right.mean() > 0.85

    opened = labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    assert opened.version == version
    canvas.expect_regions(len(rows[opened.task]["result"]))
    labelling.page.wait_for_timeout(1_000)  # masks are painted after they are listed
    labelling.screenshot("map-proposed")
