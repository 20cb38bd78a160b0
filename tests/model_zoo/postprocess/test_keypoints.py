from __future__ import annotations

import numpy as np
import pytest

from model_zoo.errors import CheckpointError
from model_zoo.postprocess import KeypointPostprocess, postprocess_of
from model_zoo.types import (
    Box,
    ClassificationOutput,
    FloatArray,
    Keypoint,
    LabelSpace,
    Pose,
    PoseOutput,
    Poses,
    TaskKind,
)

NAMES = LabelSpace(("a", "b"))
PLACES = np.float32([[10, 10], [40, 40]])


def output(
    sure: float = 0.9, located: tuple[float, float] = (0.9, 0.9), seen: tuple[float, float] = (0.9, 0.9),
    places: FloatArray = PLACES,
) -> PoseOutput:  # fmt: skip
    box = np.float32([[0, 0, 50, 50], [1, 0, 50, 50]])
    both = [np.float32([one, one]) for one in (located, seen)]
    return PoseOutput(box, np.float32([[sure], [sure / 2]]), np.stack([places, places]), both[0], both[1], 60, 60)


def states(postprocess: KeypointPostprocess, one: PoseOutput) -> list[tuple[str, bool]]:
    (pose,) = postprocess.decide(one, NAMES).poses
    return [(point.label, point.visible) for point in pose.points]


def test_two_confidences_decide_on_a_point() -> None:
    usual = KeypointPostprocess.uncalibrated(NAMES)
    assert (usual.located, usual.seen) == (0.6, 0.6)
    assert states(usual, output(located=(0.7, 0.7), seen=(0.7, 0.5))) == [("a", True), ("b", False)]
    assert states(usual, output(located=(0.5, 0.7), seen=(0.9, 0.7))) == [("b", True)]
    assert states(usual, output(places=np.float32([[10, 10], [70, 40]]))) == [("a", True)], "nothing outside the image"


def test_the_second_of_two_that_overlap_is_not_shown_and_what_is_doubtful_neither() -> None:
    usual = KeypointPostprocess.uncalibrated(NAMES)
    assert len(usual.decide(output(), NAMES).poses) == 1
    assert usual.decide(output(0.2), NAMES).poses == ()
    assert len(usual.decide(output(0.2), NAMES, minimum=0.15).poses) == 1
    assert usual.decide(output(0.9, (0.61, 0.61)), NAMES).uncertainty > 0.9, "its points are at the threshold"
    assert usual.decide(output(0.99, (1, 1)), NAMES).uncertainty < 0.1


def fitted(count: int, hidden: bool, boxed: bool = False, off: float = 0.0) -> KeypointPostprocess:
    """To objects whose second point is hidden every other time, at confidences that half would not tell apart; points
    are found `off` pixels from where they are."""
    outputs: list[PoseOutput] = []
    truths: list[Poses] = []
    for number in range(count):
        visible = not (hidden and number % 2)
        outputs.append(output(0.4, (0.5, 0.4), (0.9, 0.35 if visible else 0.15), PLACES + np.float32(off)))
        box = Box(0, 0, 50, 50, "") if boxed else None
        truths.append((Pose((Keypoint("a", 10, 10), Keypoint("b", 40, 40, visible)), box),))
    return KeypointPostprocess.fit(outputs, truths, NAMES)


def test_thresholds_are_fitted_once_there_are_enough_points() -> None:
    few, many = fitted(4, hidden=True), fitted(40, hidden=True)
    assert (few.located, few.seen) == (0.6, 0.6)
    assert 0.15 < many.seen <= 0.35
    assert states(many, output(0.4, (0.5, 0.4), (0.9, 0.2))) == [("a", True), ("b", False)]


def test_where_no_image_has_more_than_one_object_the_points_of_the_best_speak_for_themselves() -> None:
    frames, boxes = fitted(6, hidden=False), fitted(6, hidden=False, boxed=True)
    assert frames.single
    assert not frames.boxed
    (pose,) = frames.decide(output(0.01), NAMES).poses
    assert pose.box is None
    assert len(pose.points) == 2
    assert frames.decide(output(0.9, (0.05, 0.05)), NAMES).poses == ()
    assert [point.label for point in frames.decide(output(0.9, (0.9, 0.05)), NAMES).poses[0].points] == ["a"]
    assert len(frames.decide(output(0.9, (0.05, 0.05)), NAMES, minimum=0.01).poses) == 1, "somebody wants to see them"
    assert not boxes.single
    assert boxes.boxed
    assert boxes.decide(output(), NAMES).poses[0].box is not None


@pytest.mark.parametrize("boxed", [False, True])
def test_what_was_wrong_on_images_left_out_is_not_shown(boxed: bool) -> None:
    """However sure of itself the model was: nothing at all is better."""
    right, wrong = (fitted(6, hidden=False, boxed=boxed, off=off) for off in (0.0, 25.0))
    for sure in (0.4, 0.9):
        one = output(sure, (0.95, 0.95))
        assert len(right.decide(one, NAMES).poses) == 1
        assert wrong.decide(one, NAMES).poses == ()


def test_nothing_to_fit_leaves_what_is_usual() -> None:
    usual = KeypointPostprocess.uncalibrated(NAMES)
    assert KeypointPostprocess.fit([None], [()], NAMES) == usual
    assert postprocess_of(TaskKind.KEYPOINTS) is KeypointPostprocess


def test_json_reads_back_without_loss_and_damage_is_said() -> None:
    one = fitted(40, hidden=True)
    assert KeypointPostprocess.from_json(one.to_json()) == one
    with pytest.raises(CheckpointError, match="train again"):
        KeypointPostprocess.from_json({**one.to_json(), "located": "high"})


def test_other_kinds_of_output_are_refused() -> None:
    with pytest.raises(TypeError, match="wanted a PoseOutput"):
        KeypointPostprocess.uncalibrated(NAMES).decide(ClassificationOutput(np.zeros(2, np.float32)), NAMES)
