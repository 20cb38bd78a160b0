"""Painted objects from the first labels to masks on the canvas, in a real Label Studio."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from backend.converters import CONVERTERS
from backend.demo.streets import HEIGHT, STREETS_CONFIG, WIDTH, Street, streets
from backend.labelstudio.config import parse_config
from backend.labelstudio.connect import connect_projects
from backend.simulation.regions import masks
from tests.e2e.backend_process import eventually
from tests.e2e.drawing import Canvas
from tests.e2e.installation import Installation
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
WEIGHTS = os.environ.get("PRELABEL_WEIGHTS_DIR")
"""Without pretrained weights a segmenter learns from random numbers, and from four images nothing."""
WISHES = {"prelabel_image_size": 320, "prelabel_views": 3, "prelabel_epochs": 20 if WEIGHTS else 4, "prelabel_folds": 2}
ATTRIBUTES = " ".join(f'{name}="{value}"' for name, value in WISHES.items())
PAINTED = STREETS_CONFIG.replace("RectangleLabels", "BrushLabels").replace("Draw a box around", "Paint")
CONFIG = PAINTED.replace("<BrushLabels ", f"<BrushLabels {ATTRIBUTES} ")
(CONTROL,) = parse_config(CONFIG).controls


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, label_studio: LabelStudioInstance) -> Iterator[Installation]:
    """A `prelabel up` of this module's own, with its operator's weights."""
    more = {"PRELABEL_WEIGHTS_DIR": WEIGHTS} if WEIGHTS else {}
    installation = Installation(
        tmp_path_factory.mktemp("prelabel-segmentation"),
        LABEL_STUDIO_URL=label_studio.url,
        LABEL_STUDIO_API_KEY=label_studio.api_key,
        **more,
    )
    try:
        installation.start()
        yield installation
    finally:
        installation.close()


def upload(project: TestProject, scenes: Sequence[Street]) -> dict[int, Street]:
    """A task of each scene; which is whose."""
    files = [(scene.name, (scene.name, scene.jpeg, "image/jpeg")) for scene in scenes]
    project.studio.call("POST", f"/api/projects/{project.id}/import?commit_to_project=true", files=files)
    tasks = project.studio.call("GET", "/api/tasks/", params={"project": project.id, "page_size": 1000})["tasks"]
    return {
        int(task["id"]): next(scene for scene in scenes if task["data"]["image"].endswith(scene.name)) for task in tasks
    }


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
    body = {"result": result, "lead_time": 9.0}
    project.studio.call("POST", f"/api/tasks/{task}/annotations/?project={project.id}", json=body)


def test_masks_are_learnt_and_proposed_on_the_canvas(
    installation: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(CONFIG, title="painted streets")
    scenes = upload(project, list(streets(LABELLED + 3)))
    failed = [hop for hop in connect_projects(installation.settings, [project.id]) if not hop.ok]
    assert not failed, failed
    for task, scene in list(scenes.items())[:LABELLED]:
        paint(project, task, scene)
    version = installation.await_version(project, LABELLED, TRAINING)

    waiting = list(scenes)[LABELLED:]
    eventually(lambda: project.shows(version, waiting), "a prediction of every scene", 120.0)
    rows: dict[int, Any] = {task: project.predictions(task)[-1] for task in waiting}
    config = parse_config(CONFIG)
    for row in rows.values():
        assert config.validate({"result": row["result"], "score": row["score"]}) == []
        found = CONVERTERS[CONTROL.tag].decode(CONTROL, row["result"])
        assert found is not None
        assert len(found) == len(row["result"])
    if WEIGHTS:
        assert any(row["result"] for row in rows.values())

    opened = labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    assert opened.version == version
    canvas.expect_regions(len(rows[opened.task]["result"]))
    labelling.page.wait_for_timeout(1_000)  # masks are painted after they are listed
    labelling.screenshot("segmentation-proposed")
