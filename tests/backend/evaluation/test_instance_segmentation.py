"""Objects judged by their pixels; mean average precision against pycocotools."""

from __future__ import annotations

import numpy as np
import pytest

from backend.evaluation.instance_segmentation import InstanceEvaluation
from backend.evaluation.kinds import EVALUATIONS
from backend.evaluation.matching import Matches, matches
from model_zoo.masks import mask_of, pixels
from model_zoo.postprocess import DetectionPostprocess, InstancePostprocess
from model_zoo.postprocess.instance_segmentation import draw
from model_zoo.types import InstanceOutput, LabelSpace, Mask, Masks, TaskKind

LABELS = LabelSpace(("a", "b"))
SIZE = (120, 90)
JUDGE = InstanceEvaluation()


def mask(label: str, left: int, top: int, right: int, bottom: int) -> Mask:
    picture = np.zeros(SIZE[::-1], np.bool_)
    picture[top:bottom, left:right] = True
    found = mask_of(label, picture, SIZE)
    assert found is not None
    return found


def test_is_how_instances_are_judged() -> None:
    assert isinstance(EVALUATIONS[TaskKind.INSTANCE_SEGMENTATION], InstanceEvaluation)


@pytest.mark.parametrize(
    ("shown", "edits"),
    [
        (mask("a", 0, 0, 20, 20), 0),
        (mask("a", 0, 0, 20, 11), 0),
        (mask("a", 0, 0, 20, 9), 1),
        (mask("b", 0, 0, 20, 20), 1),
        (mask("a", 50, 50, 70, 70), 2),
    ],
)
def test_edits(shown: Mask, edits: int) -> None:
    truth = (mask("a", 0, 0, 20, 20),)
    assert JUDGE.edits((shown,), truth) == edits
    assert JUDGE.scores([(shown,)], [truth])[0] == (1.0 if edits == 0 else 0.0)
    assert matches((shown,), truth) == Matches(1, 1, int(edits == 0))


def test_boxes_that_agree_are_not_enough() -> None:
    """Two triangles of one square."""
    corner = np.tri(20, dtype=np.bool_)
    first, second = (mask_of("a", part, (20, 20)) for part in (corner, ~corner | np.eye(20, dtype=np.bool_)))
    assert first is not None
    assert second is not None
    assert JUDGE.edits((first,), (second,)) > 0


def test_nothing_on_either_side() -> None:
    assert JUDGE.scores([()], [()])[0] == 1
    assert JUDGE.edits((), (mask("a", 0, 0, 9, 9),)) == 1
    assert JUDGE.edits((mask("a", 0, 0, 9, 9),), ()) == 1


def scene(seed: int) -> tuple[InstanceOutput, Masks]:
    """Up to four objects, found more or less well, with some that are not there."""
    random = np.random.default_rng(seed)
    truth, rows, basis = [], [], []
    for _ in range(int(random.integers(1, 5))):
        left, top = (int(random.integers(0, limit)) for limit in (80, 50))
        label = int(random.integers(0, 2))
        truth.append(mask(LABELS.names[label], left, top, left + 30, top + 30))
        shift = random.integers(-9, 10, 2)
        rows.append((left + shift[0], top + shift[1], label, random.uniform(0.3, 1)))
    rows += [(random.integers(0, 80), random.integers(0, 50), random.integers(0, 2), random.uniform(0.1, 0.6))]
    for left, top, _, _ in rows:
        picture = np.full(SIZE[::-1], -1, np.float16)
        picture[max(int(top), 0) : int(top) + 30, max(int(left), 0) : int(left) + 25] = 1
        basis.append(picture)
    boxes = np.array([(max(x, 0), max(y, 0), min(x + 30, SIZE[0]), min(y + 30, SIZE[1])) for x, y, _, _ in rows])
    probabilities = np.full((len(rows), 2), 0.001, np.float32)
    probabilities[np.arange(len(rows)), [int(label) for _, _, label, _ in rows]] = [one for *_, one in rows]
    weights = np.eye(len(rows), dtype=np.float32)
    frame = (0.0, 0.0, float(SIZE[0]), float(SIZE[1]))
    found = InstanceOutput(boxes.astype(np.float32), probabilities, *SIZE, weights, np.stack(basis), frame)
    return found, tuple(truth)


def test_average_precision_is_that_of_pycocotools() -> None:
    outputs, truths = zip(*map(scene, range(25)), strict=True)
    process = InstancePostprocess.uncalibrated(LABELS)
    ours = JUDGE.measure(outputs, truths, process, LABELS)
    theirs = _coco(outputs, truths, process)
    assert (ours["map50"], ours["map50_95"]) == pytest.approx(theirs, abs=0.005)
    assert 0.05 < ours["map50_95"] < ours["map50"] < 1
    for name in ("map50", "map50_95", "miou"):
        assert 0 < ours[f"{name}_low"] < ours[name] < ours[f"{name}_high"] < 1
    assert ours["objects"] == sum(map(len, truths))


def _coco(
    outputs: tuple[InstanceOutput, ...], truths: tuple[Masks, ...], process: InstancePostprocess
) -> tuple[float, float]:
    import contextlib
    import io

    from pycocotools import mask as codec
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def packed(one: Mask) -> dict[str, object]:
        return dict(codec.encode(np.asfortranarray(pixels(one).astype(np.uint8))))

    entries, found = [], []
    for image, (output, truth) in enumerate(zip(outputs, truths, strict=True)):
        for one in truth:
            area = int(pixels(one).sum())
            entries.append({
                "id": len(entries) + 1, "image_id": image, "category_id": LABELS.names.index(one.label),
                "segmentation": packed(one), "area": area, "iscrowd": 0, "bbox": [0, 0, 1, 1],
            })  # fmt: skip
        rows, confidence, label = process.stay(output)
        drawn = draw(output, rows, [""] * len(rows), SIZE)
        found += [
            {"image_id": image, "category_id": int(index), "segmentation": packed(one), "score": float(score)}
            for one, index, score in zip(drawn, label, confidence, strict=True)
            if one is not None
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = COCO()
        truth_set.dataset = {
            "images": [{"id": image, "width": SIZE[0], "height": SIZE[1]} for image in range(len(truths))],
            "annotations": entries,
            "categories": [{"id": index, "name": name} for index, name in enumerate(LABELS.names)],
        }
        truth_set.createIndex()
        judge = COCOeval(truth_set, truth_set.loadRes(found), "segm")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[1]), float(judge.stats[0])


def test_of_nothing_there_is_nothing_to_say() -> None:
    process = InstancePostprocess.uncalibrated(LABELS)
    assert JUDGE.measure([], [], process, LABELS) == {}
    with pytest.raises(TypeError, match="wanted InstancePostprocess"):
        JUDGE.measure([scene(0)[0]], [()], DetectionPostprocess.uncalibrated(LABELS), LABELS)
