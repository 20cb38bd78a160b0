"""A keypoint project from its first points to predictions on the canvas, in a real Label Studio."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from backend.converters import CONVERTERS
from backend.labelstudio.config import parse_config
from model_zoo.targets import all_of
from model_zoo.types import Pose
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

"""Without pretrained weights points are learnt from the pixels alone, which is enough for what is drawn here."""
WIDTH, HEIGHT = 320, 240
FRAMES, LABELLED = 11, 8
NEAR = 16.0
"""Pixels from the true place within which a point is right; the animals' noses and tails are round and 18 wide."""
TRAINING = 300.0
"""Seconds from the last annotation to the version; far more than two quiet cores need."""
CONFIG = """
<View>
  <Image name="image" value="$image"/>
  <KeyPointLabels name="points" toName="image" prelabel_image_size="256" prelabel_views="5" prelabel_epochs="80"
                  prelabel_folds="2">
    <Label value="Nose" background="red"/><Label value="Tail" background="blue"/>
  </KeyPointLabels>
  <Choices name="seen" toName="image" perRegion="true" whenTagName="points">
    <Choice value="visible"/><Choice value="occluded"/>
  </Choices>
</View>
"""
(CONTROL,) = parse_config(CONFIG).controls
CONVERTER = CONVERTERS[CONTROL.tag]

Places = dict[str, tuple[float, float]]


def frame(number: int) -> tuple[bytes, Places]:
    """A picture of a dark animal with a bright nose and a white tail, and where these are."""
    random = np.random.default_rng(number)
    x, y = random.uniform(90, WIDTH - 90), random.uniform(60, HEIGHT - 60)
    side = 55 if number % 2 else -55
    picture = Image.new("RGB", (WIDTH, HEIGHT), (150, 160, 140))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((x - 50, y - 22, x + 50, y + 22), fill=(50, 40, 40))
    places = {"Nose": (x + side, y - 8.0), "Tail": (x - side, y + 6.0)}
    for name, colour in (("Nose", (240, 60, 60)), ("Tail", (250, 250, 250))):
        left, top = places[name]
        draw.ellipse((left - 9, top - 9, left + 9, top + 9), fill=colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue(), places


def upload(project: TestProject) -> dict[int, Places]:
    """A task of each frame, and where its points are."""
    drawn = {f"frame{number}.png": frame(number) for number in range(FRAMES)}
    tasks = project.upload_images({name: content for name, (content, _) in drawn.items()})
    return {task: drawn[name][1] for task, name in tasks.items()}


def place_all(project: TestProject, task: int, places: Places) -> None:
    """Submit the true points, each said to be visible, as somebody who places them does."""
    common = {"to_name": "image", "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    result: list[dict[str, Any]] = []
    for name, (x, y) in places.items():
        place = {"x": x / WIDTH * 100, "y": y / HEIGHT * 100, "width": 0.6}
        parts = (
            ("points", "keypointlabels", {**place, "keypointlabels": [name]}),
            ("seen", "choices", {**place, "choices": ["visible"]}),
        )
        result += [{**common, "id": name, "from_name": of, "type": kind, "value": value} for of, kind, value in parts]
    project.submit(task, result)


def test_points_are_learnt_and_proposed_on_the_canvas(
    pinned: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(CONFIG, title="animals")
    frames = upload(project)
    pinned.connect(label_studio, project)
    for task, places in list(frames.items())[:LABELLED]:
        place_all(project, task, places)
    version = pinned.await_version(project, LABELLED, TRAINING)

    waiting = list(frames)[LABELLED:]
    eventually(lambda: project.shows(version, waiting), "a prediction of every frame", 120.0)
    rows = {task: project.predictions(task)[-1] for task in waiting}
    assert {row["model_version"] for row in rows.values()} == {version}
    config = parse_config(CONFIG)
    assert [config.validate({"result": row["result"], "score": row["score"]}) for row in rows.values()] == [[]] * 3
    proposed = {task: all_of(Pose, CONVERTER.decode(CONTROL, row["result"]) or ()) for task, row in rows.items()}
    assert all(len(poses) <= 1 for poses in proposed.values()), "every frame that was labelled has one animal"
    # Decoded without the image's size, points are in percent.
    shown = [
        (point.label, np.hypot(point.x * WIDTH / 100 - x, point.y * HEIGHT / 100 - y))
        for task, poses in proposed.items()
        for pose in poses
        for point in pose.points
        for x, y in [frames[task][point.label]]
    ]
    assert [far for far in shown if far[1] > NEAR] == [], "wrong points are worse than none"
    assert len(shown) >= 2 * len(waiting) - 1, f"of two points a frame {shown} were found"

    opened = labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    assert opened.version == version
    canvas.expect_regions(sum(len(pose.points) for pose in proposed[opened.task]))
    labelling.screenshot("keypoints-proposed")
