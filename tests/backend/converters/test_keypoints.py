"""`KeyPointLabels` with and without rectangles and visibility: both directions, and what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.converters import CONVERTERS
from backend.labelstudio.config import Control, LabellingConfig, parse_config
from model_zoo.postprocess import ClassificationDecision, PoseDecision
from model_zoo.targets import all_of
from model_zoo.types import Box, Item, Keypoint, Pose, Poses, TaskKind, Visibility

POINTS = ("nose", "left ear", "r")
PARENTS = {
    "none": "",
    "RectangleLabels": (
        '<RectangleLabels name="box" toName="image"><Label value="Mouse"/><Label value="Rat"/></RectangleLabels>'
    ),
    "Rectangle": (
        '<Rectangle name="box" toName="image"/>'
        '<Labels name="what" toName="image"><Label value="Mouse"/><Label value="Rat"/></Labels>'
    ),
    "unnamed": '<Rectangle name="box" toName="image"/>',
}
SEEN = (
    '<Choices name="seen" toName="image" perRegion="true" whenTagName="point">'
    '<Choice value="Visible"/><Choice value="verdeckt" predicted_values="occluded"/><Choice value="out_of-view"/>'
    "</Choices>"
)
KINDS = [(parent, seen) for parent in PARENTS for seen in (False, True)]
WITH_ALL = ("RectangleLabels", True)
CONVERTER = CONVERTERS["KeyPointLabels"]


def config(parent: str = "none", seen: bool = False, attributes: str = "") -> LabellingConfig:
    labels = '<Label value="nose"/><Label value="left ear"/><Label value="right ear" alias="r"/>'
    points = f'<KeyPointLabels name="point" toName="image" {attributes}>{labels}</KeyPointLabels>'
    shown = '<Image name="image" value="$image"/>'
    return parse_config(f"<View>{shown}{PARENTS[parent]}{points}{SEEN if seen else ''}</View>")


def control(parent: str = "none", seen: bool = False, attributes: str = "") -> Control:
    (found,) = config(parent, seen, attributes).controls
    return found


def decision(*poses: Pose, width: int = 640, height: int = 480) -> PoseDecision:
    sure = tuple((0.8,) * len(pose.points) for pose in poses)
    return PoseDecision(poses, (0.9,) * len(poses), sure, np.zeros(len(POINTS), np.float32), 0.5, width, height)


def decode(result: list[Any], parent: str = "none", seen: bool = False, reports: list[str] | None = None) -> Any:
    return CONVERTER.decode(control(parent, seen), result, ([] if reports is None else reports).append)


def point(label: Any = "nose", x: Any = 10.0, y: Any = 20.0, **more: Any) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": more.pop("width", 0.5), "keypointlabels": [label] if label else []}
    base = {"id": "p", "from_name": "point", "to_name": "image", "type": "keypointlabels", "value": value}
    return {**base, "original_width": 640, "original_height": 480, **more}


def seen(choice: str, identifier: str = "p") -> dict[str, Any]:
    return {"id": identifier, "from_name": "seen", "to_name": "image", "type": "choices",
            "value": {"choices": [choice]}}  # fmt: skip


def rectangle(identifier: str, label: str = "Mouse", left: float = 0.0) -> dict[str, Any]:
    value = {"x": left, "y": 0, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": [label]}
    return {"id": identifier, "from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value}


class TestConfig:
    def test_points_take_their_companions_with_them(self) -> None:
        parsed = config(*WITH_ALL)
        (found,) = parsed.controls
        assert parsed.skipped == ()
        assert found.parent is not None
        assert found.visibility is not None
        assert [label.visibility for label in found.visibility.labels] == list(Visibility)
        assert all(found.owns(name) for name in ("point", "box", "seen"))
        assert not found.owns("other")
        space = CONVERTER.label_space(found)
        assert (space.names, space.objects) == (POINTS, ("Mouse", "Rat"))
        assert CONVERTER.kind(found) is TaskKind.KEYPOINTS

    @pytest.mark.parametrize("parent", PARENTS)
    def test_a_shape_without_names_holds_points_as_well(self, parent: str) -> None:
        found = control(parent)
        assert (found.parent is None) == (parent == "none")
        assert found.visibility is None

    def test_choices_that_say_nothing_of_visibility_are_learnt_as_such(self) -> None:
        xml = config(*WITH_ALL).xml.replace("Visible", "wet").replace("occluded", "dry").replace("out_of-view", "cold")
        parsed = parse_config(xml)
        points, said = parsed.controls
        assert points.visibility is None
        assert said.about == (points,)
        assert parsed.skipped == ()

    def test_points_that_prompt_a_smart_tool_are_not_learnt(self) -> None:
        parsed = config("RectangleLabels", attributes='smart="true"')
        assert [found.tag for found in parsed.controls] == ["RectangleLabels"]
        assert "prompt a smart tool" in parsed.skipped[0]


@st.composite
def decisions(draw: st.DrawFn, most: int = 3) -> PoseDecision:
    """Objects in an image of any shape, with some of the points each, anywhere within it."""
    width, height = draw(st.integers(2, 5000)), draw(st.integers(2, 5000))
    poses = []
    for _ in range(draw(st.integers(0, most))):
        left, top = draw(st.floats(0, width - 1)), draw(st.floats(0, height - 1))
        right, bottom = draw(st.floats(left + 1, width)), draw(st.floats(top + 1, height))
        names = draw(st.lists(st.sampled_from(POINTS), unique=True))
        points = tuple(
            Keypoint(name, draw(st.floats(0, width)), draw(st.floats(0, height)), draw(st.booleans())) for name in names
        )
        poses.append(Pose(points, Box(left, top, right, bottom, draw(st.sampled_from(("Mouse", "Rat"))))))
    return decision(*poses, width=width, height=height)


class TestRoundTrip:
    @pytest.mark.parametrize(("parent", "visibility"), KINDS)
    @given(decided=decisions())
    @settings(max_examples=15, deadline=None)
    def test_what_is_encoded_is_decoded_again(self, parent: str, visibility: bool, decided: PoseDecision) -> None:
        """Within a hundredth of a pixel; of what the config has no place for, the rest comes back."""
        if parent == "none":  # several objects can only be told apart by their rectangles
            decided = decision(*decided.poses[:1], width=decided.width, height=decided.height)
        found = control(parent, visibility)
        regions = CONVERTER.encode(found, decided, key="7:v1")
        decoded = CONVERTER.decode(found, regions)
        assert decoded is not None
        pixels = all_of(Pose, CONVERTER.target(decoded, Item(np.zeros((decided.height, decided.width, 3), np.uint8))))
        wanted = [pose for pose in decided.poses if parent != "none" or pose.points]
        assert len(pixels) == len(wanted)
        for one, pose in zip(pixels, wanted, strict=True):
            assert_alike(one, pose, parent, visibility)

    @pytest.mark.parametrize(("parent", "visibility"), KINDS)
    @given(decided=decisions())
    @settings(max_examples=8, deadline=None)
    def test_label_studio_s_own_validator_takes_it(self, parent: str, visibility: bool, decided: PoseDecision) -> None:
        regions = CONVERTER.encode(control(parent, visibility), decided, key="7:v1")
        assert config(parent, visibility).validate({"result": regions, "score": 0.5}) == []
        assert len({(one["id"], one["from_name"]) for one in regions}) == len(regions)
        assert all(0 <= one["score"] <= 1 for one in regions)
        boxes = {one["id"] for one in regions if one["from_name"] == "box"}
        held = [one.get("parentID") for one in regions if one["from_name"] in ("point", "seen")]
        assert set(held) <= (boxes or {None})

    def test_other_kinds_of_decision_are_refused(self) -> None:
        with pytest.raises(TypeError, match="Got a ClassificationDecision"):
            CONVERTER.encode(control(), ClassificationDecision((), np.zeros(3, np.float32), 0.5), key="7:v1")


def assert_alike(found: Pose, wanted: Pose, parent: str, visibility: bool) -> None:
    assert [point.label for point in found.points] == [point.label for point in wanted.points]
    for one, other in zip(found.points, wanted.points, strict=True):
        assert (one.x, one.y) == pytest.approx((other.x, other.y), abs=0.01)
        assert one.visible == (other.visible or not visibility)
    assert (found.box is None) == (parent == "none")
    if found.box is not None and wanted.box is not None:
        assert found.box.corners == pytest.approx(wanted.box.corners, abs=0.01)
        assert found.box.label == ("" if parent == "unnamed" else wanted.box.label)


class TestDecoding:
    @pytest.mark.parametrize("width", [0.1, 3, None, "wide"])
    def test_the_width_of_a_point_says_nothing(self, width: Any) -> None:
        assert decode([point(width=width)]) == (Pose((Keypoint("nose", 10, 20),)),)

    @pytest.mark.parametrize(("x", "y"), [(-0.1, 5), (5, 100.1), ("1", 5), (None, 5), (float("nan"), 5), (True, 5)])
    def test_points_outside_the_image_are_left_out_and_said(self, x: Any, y: Any) -> None:
        said: list[str] = []
        (pose,) = decode([point(x=x, y=y), point("r")], reports=said)
        assert [one.label for one in pose.points] == ["r"]
        assert len(said) == 1
        assert "not within the image" in said[0]
        assert decode([point(x=x, y=y)]) is None, "something was drawn, so the image is not empty"

    def test_visibility(self) -> None:
        def states(choice: str) -> list[bool]:
            return [one.visible for pose in decode([point(), seen(choice)], "none", True) or () for one in pose.points]

        assert states("Visible") == [True]
        assert states("verdeckt") == [False]
        assert states("out_of-view") == []
        assert states("no choice of the config") == [True]
        assert decode([point()], "none", True) == (Pose((Keypoint("nose", 10, 20),)),), "nothing was chosen"

    def test_points_belong_to_their_rectangles(self) -> None:
        result = [
            point("nose", 5, 5, id="1", parentID="a"),
            rectangle("a"),
            rectangle("b", "Rat", 50),
            point("nose", 55, 5, id="2", parentID="b"),
            point("nose", 9, 9, id="3", parentID="b"),
            point("r", 90, 90, id="4", parentID="gone"),
        ]
        said: list[str] = []
        poses = decode(result, "RectangleLabels", reports=said)
        assert poses == (
            Pose((Keypoint("nose", 5, 5),), Box(0, 0, 30, 40, "Mouse")),
            Pose((Keypoint("nose", 55, 5),), Box(50, 0, 80, 40, "Rat")),
            Pose((Keypoint("r", 90, 90),)),
        )
        assert len(said) == 1
        assert "two points" in said[0]

    def test_points_of_no_rectangle_go_to_the_nearest_object_that_lacks_them(self) -> None:
        places = [("nose", 10), ("nose", 80), ("r", 82), ("r", 12), ("left ear", 84)]
        poses: Poses = decode([point(label, x, 50, id=str(at)) for at, (label, x) in enumerate(places)])
        assert [[(one.label, one.x) for one in pose.points] for pose in poses] == [
            [("nose", 10), ("r", 12)],
            [("nose", 80), ("r", 82), ("left ear", 84)],
        ]

    def test_what_the_config_no_longer_has_is_left_out_and_said(self) -> None:
        said: list[str] = []
        result = [point("tail"), point(None), rectangle("a", "Cat"), rectangle("b"), point("r", parentID="b")]
        (pose,) = decode(result, "RectangleLabels", reports=said)
        assert pose.box is not None
        assert [one.label for one in pose.points] == ["r"]
        assert len(said) == 3

    def test_nothing_drawn_is_nothing_there(self) -> None:
        assert decode([]) == ()
        assert decode([{"from_name": "other", "type": "choices", "value": {"choices": ["x"]}}]) == ()
        assert CONVERTER.encode(control(), decision(), key="7:v1") == []
