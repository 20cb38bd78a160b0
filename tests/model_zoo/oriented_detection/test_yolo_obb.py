"""The detector of turned boxes: what it shares with the upright one, and that it learns how things stand."""

from __future__ import annotations

import math
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from model_zoo.detection_metrics import output_precisions
from model_zoo.object_detection import upstream
from model_zoo.object_detection.family import ORIENTED, YoloV1
from model_zoo.object_detection.marks import Quads
from model_zoo.object_detection.model import YoloModel
from model_zoo.object_detection.views import Augmentation, Picture, view
from model_zoo.oriented import oriented
from model_zoo.oriented_detection.family import YoloObbV1
from model_zoo.oriented_detection.fitting import as_targets
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import family
from model_zoo.types import DetectionExample, DetectionOutput, FloatArray, Item, LabelSpace, OrientedOutput

pytestmark = pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is not installed")

SPACE = LabelSpace(("bar",))
UNVARIED = {
    "image_size": 128, "views": 1, "epochs": 6, "batch": 4, "learning_rate": 3e-3,
    "mosaic": 0.0, "zoom": 1.0, "shift": 0.0, "colour": 0.0, "mirror": False,
}  # fmt: skip


def corners(x: float, y: float, width: float, height: float, degrees: float) -> FloatArray:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    sides = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    return (sides @ np.array([[cos, sin], [-sin, cos]]) + [x, y]).astype(np.float32)


def scene(seed: int) -> DetectionExample:
    """One bright bar on grey, standing anyhow."""
    random = np.random.default_rng(seed)
    pixels = random.integers(80, 110, (128, 128, 3)).astype(np.uint8)
    points = corners(*random.uniform(44, 84, 2), 70, 30, random.uniform(-40, 40))
    cv2.fillPoly(pixels, [np.round(points).astype(np.int32)], (250, 250, 250))
    box = oriented(points, "bar", 128, 128)
    assert box is not None
    return DetectionExample(Item(pixels), (box,))


def test_its_head_is_that_of_the_published_architecture() -> None:
    base = family(ORIENTED).base()  # type: ignore[attr-defined]  # of based families
    published = upstream.build("yolov8n-obb", "oriented").model[-1]
    own, wanted = (
        {name: tuple(tensor.shape) for name, tensor in head.state_dict().items()}
        for head in (base.network.head, published)
    )
    assert own == wanted
    detector = family(YoloV1.name).base()  # type: ignore[attr-defined]
    assert base.digest == detector.digest
    assert not detector.network.has_angles


def test_it_begins_as_the_upright_detector() -> None:
    import torch

    base = family(ORIENTED).base()  # type: ignore[attr-defined]
    with torch.inference_mode():
        raw = base.network(torch.rand(1, 3, 64, 96))
        angles = base.network.angle_branch(raw.levels)
        turned = base.network.decode_turned(raw.boxes, angles, raw.levels)
        upright = base.network.decode(raw.boxes, raw.levels)
    assert float(angles.abs().max()) < 1e-6
    np.testing.assert_allclose(turned[..., [0, 1, 4, 5]], upright, atol=1e-3)


def test_targets_have_the_least_turn() -> None:
    rows = as_targets(np.stack([corners(50, 50, 40, 20, degrees) for degrees in (10, 100, 190, 280, -10)]), 100)
    np.testing.assert_allclose(rows[:, :2], 0.5, atol=1e-5)
    np.testing.assert_allclose(np.degrees(rows[:, 4]), [10, 10, 10, 10, -10], atol=1e-2)
    np.testing.assert_allclose(rows[:, 2:4], [[0.4, 0.2], [0.2, 0.4], [0.4, 0.2], [0.2, 0.4], [0.4, 0.2]], atol=1e-5)


def test_corners_go_with_the_picture_they_are_in() -> None:
    """Turned, mirrored, zoomed: the bar is still within its corners, and these still go clockwise."""
    example = scene(3)
    (box,) = example.boxes
    quads = Quads.of_corners(np.array([box.points], np.float32))  # type: ignore[attr-defined]
    pixels = example.item.input
    assert isinstance(pixels, np.ndarray)
    picture = Picture(pixels, np.array([box.corners], np.float32), np.zeros(1, np.int64), marks=quads)
    how = Augmentation(zoom=1.2, shift=0.02, mosaic=0.0, colour=0.0, turn=30.0)
    for seed in range(8):
        seen = view([picture], 0, 128, how, np.random.default_rng(seed))
        assert seen.marks is not None
        (points,) = seen.marks.places
        mask = np.zeros((128, 128), np.uint8)
        cv2.fillPoly(mask, [np.round(points).astype(np.int32)], 1)
        bright = seen.pixels[..., 0] > 180
        assert (bright & (mask > 0)).sum() / (bright | (mask > 0)).sum() > 0.85
        across, down = points[1] - points[0], points[3] - points[0]
        assert across[0] * down[1] - across[1] * down[0] > 0
        assert np.hypot(*across) > np.hypot(*down)


def test_angles_are_learnt_and_belong_to_the_model() -> None:
    chosen = family(ORIENTED)
    scenes = [scene(seed) for seed in range(4)]
    trained = chosen.train(scenes, SPACE, Recipe(overrides=UNVARIED))
    assert trained.hyperparameters["trained"] == "last classes boxes neck backbone angles"
    assert isinstance(trained.model, YoloModel)
    assert "angles" in trained.model.parts
    for output in trained.model.predict([each.item for each in scenes]):
        assert isinstance(output, OrientedOutput)
        assert output.points.shape == (len(output.boxes), 4, 2)
        across = output.points[:, 1] - output.points[:, 0]
        assert (np.abs(across[:, 1]) > 1e-3).any(), "none stands upright any more"
    precisions = output_precisions(
        [one for one in trained.model.predict([each.item for each in scenes]) if isinstance(one, DetectionOutput)],
        [each.boxes for each in scenes],
        DetectionPostprocess.uncalibrated(SPACE),
        SPACE,
    )
    assert np.isfinite(precisions).all()


def test_upright_labels_keep_their_family() -> None:
    boxes = scene(0).boxes
    assert YoloV1.instead([boxes]) == ORIENTED == YoloObbV1.name
    assert YoloV1.instead([()]) is None
    assert YoloObbV1.instead([()]) is None, "once turned, a project's detector stays so"
