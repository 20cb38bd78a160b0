from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model_zoo.keypoint_metrics import found_poses, keypoint_metrics
from model_zoo.poses import COCO_SIGMAS, areas, truth_of
from model_zoo.postprocess import KeypointPostprocess
from model_zoo.types import Box, Keypoint, LabelSpace, Pose, PoseOutput, Poses

LABELS = LabelSpace(tuple(COCO_SIGMAS), objects=("person", "statue"))
SURE = KeypointPostprocess.uncalibrated(LABELS)


def scene(seed: int) -> tuple[list[PoseOutput], list[Poses]]:
    """People in 12 images, some without any known point; most found more or less well, and some phantoms."""
    random = np.random.default_rng(seed)
    outputs, truths = [], []
    for _ in range(12):
        count = int(random.integers(0, 5))
        corner = random.uniform(0, 300, (count, 2))
        boxes = np.concatenate([corner, corner + random.uniform(40, 120, (count, 2))], axis=1)
        points = corner[:, None] + random.random((count, 17, 2)) * (boxes[:, None, 2:] - boxes[:, None, :2])
        states = random.integers(0, 3, (count, 17)) * (random.random((count, 1)) < 0.8)
        kinds = random.integers(0, 2, count)
        truths.append(
            tuple(
                Pose(
                    tuple(
                        Keypoint(name, float(x), float(y), bool(state == 2))
                        for name, (x, y), state in zip(LABELS.names, places, known, strict=True)
                        if state
                    ),
                    Box(*map(float, box), label=LABELS.objects[kind]),
                )
                for box, places, known, kind in zip(boxes, points, states, kinds, strict=True)
            )
        )
        phantoms = random.uniform(0, 300, (2, 17, 2))
        shaken = points + random.normal(0, 1, points.shape) * random.uniform(1, 12, (count, 1, 1))
        found = np.concatenate([shaken, phantoms]).astype(np.float32)
        spots = np.concatenate([boxes, np.array([[400, 400, 410, 410], [0, 400, 9, 409]])]).astype(np.float32)
        given = np.zeros((count + 2, 2), np.float32)
        given[np.arange(count + 2), np.append(kinds, [0, 1])] = random.uniform(0.05, 0.95, count + 2)
        sure = random.random((2, count + 2, 17)).astype(np.float32)
        outputs.append(PoseOutput(spots, given, found, sure[0], sure[1], 420, 420))
    return outputs, truths


def coco(outputs: list[PoseOutput], truths: list[Poses]) -> tuple[float, float]:
    """mAP at ten similarities and at one half, as COCO's own code counts."""
    annotations, found = [], []
    for image, (output, poses) in enumerate(zip(outputs, truths, strict=True)):
        truth = truth_of(poses, LABELS, 420, 420)
        for row in range(len(poses)):
            left, top, right, bottom = truth.frames[row].tolist()
            table = np.concatenate([truth.places[row], truth.states[row][:, None]], axis=1)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(truth.kinds[row]),
                    "bbox": [left, top, right - left, bottom - top],
                    "area": float(areas(truth.frames[[row]])[0]),
                    "iscrowd": 0,
                    "keypoints": table.ravel().tolist(),
                    "num_keypoints": int((truth.states[row] > 0).sum()),
                }
            )
        seen = found_poses(output, SURE)
        for places, score, kind in zip(seen.points, seen.confidence, seen.kinds, strict=True):
            table = np.concatenate([places, np.ones((17, 1))], axis=1)
            entry = {"image_id": image, "category_id": int(kind), "score": float(score)}
            found.append({**entry, "keypoints": table.ravel().tolist()})
    with contextlib.redirect_stdout(io.StringIO()):
        held = COCO()
        held.dataset = {
            "images": [{"id": image} for image in range(len(truths))],
            "categories": [{"id": 0}, {"id": 1}],
            "annotations": annotations,
        }
        held.createIndex()
        evaluation = COCOeval(held, held.loadRes(found), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


@pytest.mark.parametrize("seed", range(4))
def test_counts_as_coco_counts(seed: int) -> None:
    outputs, truths = scene(seed)
    measured = keypoint_metrics(outputs, truths, SURE, LABELS)
    assert (measured.map50_95, measured.map50) == pytest.approx(coco(outputs, truths), abs=2e-3)
    assert 0.05 < measured.map50_95 < measured.map50 < 1


def test_visibility_is_told_by_two_confidences() -> None:
    names = LabelSpace(("a", "b", "c"))
    pose = Pose((Keypoint("a", 10, 10), Keypoint("b", 50, 50, False)), Box(0, 0, 60, 60, ""))
    places = np.float32([[[10, 10], [50, 50], [0, 0]]])
    box, sure = np.float32([[0, 0, 60, 60]]), np.float32([[0.9]])

    def told(located: list[float], seen: list[float]) -> float:
        output = PoseOutput(box, sure, places, np.float32([located]), np.float32([seen]), 99, 99)
        return keypoint_metrics([output], [(pose,)], KeypointPostprocess.uncalibrated(names), names).visibility

    assert told([0.7, 0.7, 0.5], [0.7, 0.5, 0.9]) == 1.0
    assert told([0.7, 0.7, 0.7], [0.7, 0.5, 0.9]) == pytest.approx(2 / 3)
    assert told([0.5, 0.5, 0.5], [0.9, 0.9, 0.9]) == pytest.approx(1 / 3)


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        keypoint_metrics([], [], SURE, LABELS)
