"""Turned boxes from the first labels to turned boxes on the canvas, in a real Label Studio."""

from __future__ import annotations

import io
import math
import random
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFilter

from backend.converters import CONVERTERS
from backend.converters.geometry import in_pixels
from backend.evaluation.detection import DetectionEvaluation
from backend.labelstudio.config import parse_config
from backend.store.objects import ObjectStore
from backend.store.versions import Versions
from model_zoo.object_detection.family import ORIENTED
from model_zoo.oriented import turned
from model_zoo.types import Box
from tests.e2e.backend_process import eventually
from tests.e2e.drawing import Canvas
from tests.e2e.installation import WEIGHTS, Installation, uid_of
from tests.e2e.labelling_page import LabellingPage
from tests.label_studio import LabelStudioInstance

pytestmark = [
    pytest.mark.label_studio,
    pytest.mark.browser,
    pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is not installed"),
]

WIDTH, HEIGHT = 480, 320
LABELLED = 6
TRAINING = 240.0
"""Seconds from the last annotation to the version; far more than two quiet cores need."""
"""Without pretrained weights a detector learns from random numbers, and from six images nothing."""
WISHES = {"prelabel_image_size": 320, "prelabel_views": 4, "prelabel_epochs": 30 if WEIGHTS else 4, "prelabel_folds": 2}
ATTRIBUTES = " ".join(f'{name}="{value}"' for name, value in WISHES.items())
CONFIG = f"""<View><Image name="image" value="$image"/>
<RectangleLabels name="boats" toName="image" {ATTRIBUTES}><Label value="Boat"/><Label value="Raft"/></RectangleLabels>
</View>"""
(CONTROL,) = parse_config(CONFIG).controls
CONVERTER = CONVERTERS[CONTROL.tag]


@dataclass(frozen=True)
class Harbour:
    """A picture from above, and what Label Studio would store of what is in it: values with their labels."""

    name: str
    jpeg: bytes
    values: tuple[dict[str, Any], ...]


def harbour(number: int) -> Harbour:
    """Two boats and a raft, anyhow."""
    chance = random.Random(number)
    picture = Image.new("RGB", (WIDTH, HEIGHT), (40, 80 + chance.randint(0, 20), 110))
    draw = ImageDraw.Draw(picture)
    values = []
    for column, label in enumerate(("Boat", "Raft", "Boat")):
        wide, high = (100, 34) if label == "Boat" else (66, 50)
        centre = (80 + 160 * column + chance.uniform(-15, 15), chance.uniform(80, HEIGHT - 80))
        degrees = chance.uniform(0, 360)
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

        def at(x: float, y: float, o: Any = centre, c: float = cos, s: float = sin) -> tuple[float, float]:
            return o[0] + x * c - y * s, o[1] + x * s + y * c

        left, top, right, bottom = -wide / 2, -high / 2, wide / 2, high / 2
        hull = [at(left, top), at(right, top), at(right, bottom), at(left, bottom)]
        if label == "Boat":
            draw.polygon(
                [at(left, top), at(wide / 4, top), at(right, 0), at(wide / 4, bottom), at(left, bottom)], "#eee"
            )
            draw.polygon([at(left / 2, top / 2), at(0, top / 2), at(0, bottom / 2), at(left / 2, bottom / 2)], "#456")
        else:
            draw.polygon(hull, "#a52")
            for line in (-0.25, 0.0, 0.25):
                draw.line([at(left * 0.9, line * high), at(right * 0.9, line * high)], "#fc8", 3)
        place = {"x": hull[0][0] / WIDTH, "y": hull[0][1] / HEIGHT, "width": wide / WIDTH, "height": high / HEIGHT}
        percent = {name: share * 100 for name, share in place.items()}
        values.append({**percent, "rotation": degrees, "rectanglelabels": [label]})
    buffer = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(0.8)).save(buffer, "JPEG", quality=88)
    return Harbour(f"harbour-{number}.jpg", buffer.getvalue(), tuple(values))


def regions(scene: Harbour) -> list[dict[str, Any]]:
    """What the page sends for boxes that were drawn and turned."""
    shared = {"from_name": CONTROL.name, "to_name": CONTROL.to_name, "type": "rectanglelabels", "origin": "manual"}
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    return [{**shared, **size, "id": f"drawn{at}", "value": value} for at, value in enumerate(scene.values)]


def test_turned_boxes_are_learnt_and_proposed_on_the_canvas(
    pinned: Installation, label_studio: LabelStudioInstance, labelling: LabellingPage
) -> None:
    project = label_studio.new_project(CONFIG, title="harbour")
    scenes = {scene.name: scene for scene in map(harbour, range(LABELLED + 3))}
    tasks = project.upload_images({name: scene.jpeg for name, scene in scenes.items()})
    shown = {task: scenes[name] for task, name in tasks.items()}
    pinned.connect(label_studio, project)
    for task, scene in list(shown.items())[:LABELLED]:
        project.submit(task, regions(scene))
    version = pinned.await_version(project, LABELLED, TRAINING)
    manifest = Versions(ObjectStore(pinned.settings.store_address)).get(uid_of(project), version)
    assert manifest.controls[CONTROL.name].family == ORIENTED

    waiting = list(shown)[LABELLED:]
    eventually(lambda: project.shows(version, waiting), "a prediction of every scene", 120.0)
    rows: dict[int, Any] = {task: project.predictions(task)[-1] for task in waiting}
    config, answers, truths = parse_config(CONFIG), [], []
    for task, row in rows.items():
        assert config.validate({"result": row["result"], "score": row["score"]}) == []
        found, true = (CONVERTER.decode(CONTROL, result) for result in (row["result"], regions(shown[task])))
        assert found is not None
        assert true is not None
        answers.append(tuple(in_pixels(box, WIDTH, HEIGHT) for box in found if isinstance(box, Box)))
        truths.append(tuple(in_pixels(box, WIDTH, HEIGHT) for box in true if isinstance(box, Box)))
    if WEIGHTS:
        assert any(turned(box) for boxes in answers for box in boxes)
        right = DetectionEvaluation().scores(answers, truths)
        assert right.mean() > 0.4, f"six scenes taught too little: {right.round(2).tolist()}"

    opened = labelling.open_stream(project)
    canvas = Canvas(labelling.page, WIDTH, HEIGHT).ready()
    assert opened.version == version
    canvas.expect_regions(len(rows[opened.task]["result"]))
    labelling.screenshot("turned-proposed")
