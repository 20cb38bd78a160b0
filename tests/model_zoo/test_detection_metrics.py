from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from model_zoo.average_precision import OVERLAPS
from model_zoo.boxes import as_array
from model_zoo.detection_metrics import average_precisions, detection_metrics
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.types import Box, Boxes, DetectionOutput, LabelSpace

LABELS = LabelSpace(("cat", "dog", "never seen"))
SURE = DetectionPostprocess.uncalibrated(LABELS)


def scene(seed: int) -> tuple[list[DetectionOutput], list[Boxes]]:
    """Boxes in 12 images; most found more or less well, some called by another name, and some phantoms."""
    random = np.random.default_rng(seed)
    outputs, truths = [], []
    for _ in range(12):
        count = int(random.integers(0, 6))
        corner = random.uniform(0, 300, (count, 2))
        boxes = np.concatenate([corner, corner + random.uniform(20, 120, (count, 2))], axis=1)
        names = random.integers(0, 2, count)
        truths.append(tuple(Box(*map(float, box), label=LABELS.names[k]) for box, k in zip(boxes, names, strict=True)))
        phantoms = random.uniform(0, 300, (3, 2))
        found = np.concatenate(
            [boxes + random.normal(0, 6, boxes.shape), np.tile(phantoms, 2) + np.array([0, 0, 50, 50])]
        )
        called = np.where(random.random(len(found)) < 0.85, np.append(names, [0, 1, 0]), 1)
        probabilities = np.zeros((len(found), 3), np.float32)
        probabilities[np.arange(len(found)), called] = random.uniform(0.05, 0.95, len(found))
        outputs.append(DetectionOutput(found.astype(np.float32), probabilities, 420, 420))
    return outputs, truths


def coco(outputs: list[DetectionOutput], truths: list[Boxes]) -> tuple[float, float]:
    """mAP at ten overlaps and at one half, as COCO's own code counts."""

    def sized(corners: list[float]) -> list[float]:
        return [corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]]

    annotations = [
        {
            "image_id": image,
            "category_id": LABELS.names.index(box.label),
            "bbox": sized(list(box.corners)),
            "area": (box.right - box.left) * (box.bottom - box.top),
            "iscrowd": 0,
        }
        for image, boxes in enumerate(truths)
        for box in boxes
    ]
    found = [
        {"image_id": image, "category_id": int(label), "bbox": sized(box.tolist()), "score": float(score)}
        for image, output in enumerate(outputs)
        for box, score, label in zip(*SURE.candidates(output), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image} for image in range(len(truths))],
            "categories": [{"id": index} for index in range(len(LABELS))],
            "annotations": [{**one, "id": number + 1} for number, one in enumerate(annotations)],
        }
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


@pytest.mark.parametrize("seed", range(5))
def test_counts_as_coco_counts(seed: int) -> None:
    outputs, truths = scene(seed)
    measured = detection_metrics(outputs, truths, SURE, LABELS)
    assert (measured.map50_95, measured.map50) == pytest.approx(coco(outputs, truths), abs=2e-3)
    assert 0.1 < measured.map50_95 < measured.map50 < 1


def perfect(truths: list[Boxes]) -> list[DetectionOutput]:
    outputs = []
    for boxes in truths:
        probabilities = np.zeros((len(boxes), len(LABELS)), np.float32)
        for row, box in enumerate(boxes):
            probabilities[row, LABELS.names.index(box.label)] = 0.9
        outputs.append(DetectionOutput(as_array(boxes), probabilities, 420, 420))
    return outputs


def test_all_right_is_one_and_nothing_found_is_nought() -> None:
    truths: list[Boxes] = [(Box(0, 0, 30, 30, "cat"), Box(200, 200, 260, 260, "dog")), ()]
    best = detection_metrics(perfect(truths), truths, SURE, LABELS)
    assert (best.map50, best.map50_95, best.recall, best.precision, best.images) == (1, 1, 1, 1, 2)
    worst = detection_metrics(perfect([(), ()]), truths, SURE, LABELS)
    assert (worst.map50, worst.map50_95, worst.recall, worst.precision) == (0, 0, 0, 0)


def test_recall_and_precision_are_of_what_is_shown() -> None:
    truths: list[Boxes] = [(Box(0, 0, 30, 30, "cat"), Box(100, 100, 130, 130, "cat"))]
    found = DetectionOutput(
        np.float32([[0, 0, 30, 30], [100, 100, 130, 130], [200, 0, 240, 40]]),
        np.float32([[0.9, 0, 0], [0.1, 0, 0], [0, 0.8, 0]]),
        420,
        420,
    )
    measured = detection_metrics([found], truths, SURE, LABELS)
    assert (measured.recall, measured.precision) == (0.5, 0.5)
    assert measured.map50 == 1, "whatever the threshold, both cats are there"


def test_labels_without_a_true_box_are_not_counted() -> None:
    truths: list[Boxes] = [(Box(0, 0, 30, 30, "cat"),)]
    found = [SURE.candidates(output) for output in perfect(truths)]
    table = average_precisions(found, truths, LABELS)
    assert table.shape == (len(OVERLAPS), 3)
    assert np.isnan(table).tolist()[0] == [False, True, True]


@pytest.mark.parametrize(("images", "answers"), [(0, 0), (1, 2)])
def test_nothing_to_measure_or_other_lengths_are_refused(images: int, answers: int) -> None:
    with pytest.raises(ValueError, match="wanted as many of each"):
        detection_metrics(perfect([()] * answers), [()] * images, SURE, LABELS)
