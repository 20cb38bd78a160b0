from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.evaluation.keypoints import KeypointEvaluation, compare_poses
from backend.evaluation.matching import Matches, matches
from model_zoo.postprocess import KeypointPostprocess
from model_zoo.types import Box, Keypoint, LabelSpace, Pose, PoseOutput

EVALUATION = KeypointEvaluation()
NAMES = LabelSpace(("head", "tail"), objects=("mouse", "rat"))
HEAD, TAIL = Keypoint("head", 20, 20), Keypoint("tail", 60, 60)
MOUSE = Pose((HEAD, TAIL), Box(10, 10, 70, 70, "mouse"))
OTHER = Pose((Keypoint("head", 220, 20), Keypoint("tail", 260, 60)), Box(210, 10, 270, 70, "rat"))


def moved(pose: Pose, by: float, index: int = 0) -> Pose:
    points = list(pose.points)
    points[index] = replace(points[index], x=points[index].x + by)
    return replace(pose, points=tuple(points))


@pytest.mark.parametrize(
    ("predicted", "answered", "edits"),
    [
        ((), (), 0),
        ((MOUSE, OTHER), (OTHER, MOUSE), 0),
        ((moved(MOUSE, 3),), (MOUSE,), 0),
        ((moved(MOUSE, 25),), (MOUSE,), 1),
        ((replace(MOUSE, points=(HEAD, replace(TAIL, visible=False))),), (MOUSE,), 1),
        ((replace(MOUSE, points=(HEAD,)),), (MOUSE,), 1),
        ((MOUSE,), (replace(MOUSE, points=(TAIL,)),), 1),
        ((replace(MOUSE, box=Box(10, 10, 70, 70, "rat")),), (MOUSE,), 1),
        ((replace(MOUSE, box=None),), (MOUSE,), 1),
        ((), (MOUSE,), 3),
        ((MOUSE,), (), 2),
        ((MOUSE, OTHER), (MOUSE,), 3),
        ((MOUSE,), (replace(MOUSE, box=None),), 0),
        ((Pose((HEAD,)),), (Pose((replace(HEAD, x=20.4),)),), 0),
    ],
)
def test_edits_by_hand(predicted: tuple[Pose, ...], answered: tuple[Pose, ...], edits: int) -> None:
    """Boxes count where the answer has some: a project without them is not asked to take them away."""
    assert EVALUATION.edits(predicted, answered) == edits
    compared = compare_poses(predicted, answered)
    assert len(set(compared.deleted)) == len(compared.deleted)
    (score,) = EVALUATION.scores([predicted], [answered])
    assert 0 <= score <= 1
    assert (score == 1) == (edits == 0)


def test_pieces_of_a_prediction_that_were_right() -> None:
    assert matches((moved(MOUSE, 25), OTHER), (MOUSE, OTHER)) == Matches(6, 6, 5)
    assert matches((), (MOUSE,)) == Matches(0, 3, 0)


def output(*poses: Pose, sure: float = 0.9) -> PoseOutput:
    points = np.float32([[[point.x, point.y] for point in pose.points] for pose in poses])
    boxes = np.float32([pose.box.corners for pose in poses if pose.box])
    given = np.float32([[sure * (pose.box.label == name) for name in NAMES.objects] for pose in poses if pose.box])
    seen = np.float32([[0.1 + 0.8 * point.visible for point in pose.points] for pose in poses])
    return PoseOutput(boxes, given, points, np.full_like(seen, 0.9), seen, 300, 100)


def test_figures_of_a_manifest() -> None:
    hidden = replace(OTHER, points=(OTHER.points[0], replace(OTHER.points[1], visible=False)))
    process = KeypointPostprocess.uncalibrated(NAMES)
    figures = EVALUATION.measure([output(MOUSE, hidden), output(moved(MOUSE, 30))], [(MOUSE, OTHER), (MOUSE,)],
                                 process, NAMES)  # fmt: skip
    assert figures["items"] == 2
    assert figures["objects"] == 3
    assert figures["accuracy"] == 0
    assert figures["oks_map50"] == pytest.approx(1.0), "half a mouse is alike enough"
    assert figures["oks_map50_95"] < 0.8
    for name in ("oks_map50", "oks_map50_95"):
        assert figures[f"{name}_low"] <= figures[name] <= figures[f"{name}_high"]
    assert figures["visibility_accuracy"] == pytest.approx(5 / 6)
    assert 0.5 <= figures["visibility_accuracy_low"] <= 5 / 6 <= figures["visibility_accuracy_high"] <= 1
    assert figures["precision"] == figures["recall"] == pytest.approx(7 / 9)
    assert EVALUATION.measure([], [], process, NAMES) == {}
    with pytest.raises(ValueError, match="as many of each"):
        EVALUATION.measure([], [(MOUSE,)], process, NAMES)
