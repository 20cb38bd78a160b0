"""`RectangleLabels`, and `Rectangle` with `Labels`: geometry, both directions, and what is left out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.converters import CONVERTERS
from backend.converters.geometry import WHOLE, in_pixels
from backend.labelstudio.config import Control, LabellingConfig, parse_config
from model_zoo.oriented import box_overlaps, oriented
from model_zoo.postprocess import ClassificationDecision, DetectionDecision
from model_zoo.types import Box, Boxes, Item, OrientedBox, TaskKind

LABELS = ("Car", 'Pérson "👋" <&>\'', "s")
TAGS = ("RectangleLabels", "Rectangle")


def config(tag: str = "RectangleLabels", attributes: str = "", more: str = "") -> LabellingConfig:
    labels = (
        '<Label value="Car" predicted_values="car,truck"/>'
        '<Label value="Pérson &quot;👋&quot; &lt;&amp;>\'"/>'
        '<Label value="Sign" alias="s"/>'
    )
    if tag == "Rectangle":
        inside = (
            f'<Rectangle name="box" toName="image" {attributes}/><Labels name="what" toName="image">{labels}</Labels>'
        )
    else:
        inside = f'<RectangleLabels name="box" toName="image" {attributes}>{labels}</RectangleLabels>'
    return parse_config(f'<View><Image name="image" value="$image"/>{inside}{more}</View>')


def control(tag: str = "RectangleLabels", attributes: str = "", more: str = "") -> Control:
    (found,) = config(tag, attributes, more).controls
    return found


def decision(*boxes: tuple[Box, float], width: int = 640, height: int = 480) -> DetectionDecision:
    return DetectionDecision(
        tuple(box for box, _ in boxes),
        tuple(score for _, score in boxes),
        np.zeros(len(LABELS), np.float32),
        0.5,
        width,
        height,
    )


def region(label: Any = "Car", x: Any = 10.0, y: Any = 20.0, width: Any = 30.0, height: Any = 40.0, **more: Any) -> Any:
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": more.pop("rotation", 0)}
    names = label if isinstance(label, list) else [label]
    base = {"id": "r", "from_name": "box", "to_name": "image", "type": "rectanglelabels"}
    size = {"original_width": more.pop("original_width", 640), "original_height": more.pop("original_height", 480)}
    return {**base, **size, "value": {**value, "rectanglelabels": names}, **more}


def decode(tag: str, result: list[Any], reports: list[str] | None = None, **made: str) -> Any:
    said: list[str] = [] if reports is None else reports
    return CONVERTERS[tag].decode(control(tag, **made), result, said.append)


class TestRouting:
    @pytest.mark.parametrize("tag", TAGS)
    def test_they_detect_and_fetch_their_image(self, tag: str) -> None:
        found = control(tag)
        assert CONVERTERS[tag].kind(found) is TaskKind.OBJECT_DETECTION
        assert found.fetched
        space = CONVERTERS[tag].label_space(found)
        assert space.names == LABELS
        assert space.descriptions[0] == ("Car", "car", "truck")

    def test_a_rectangle_takes_the_labels_of_its_object(self) -> None:
        parsed = config("Rectangle", more='<Polygon name="p" toName="image"/>')
        (found,) = parsed.controls
        assert (found.name, found.labels_name) == ("box", "what")
        assert parsed.skipped == ('Polygon "p" is skipped: there is no model for Polygon yet.',)


@st.composite
def decisions(draw: st.DrawFn) -> DetectionDecision:
    """Boxes of at least one pixel, anywhere within an image of any shape."""
    width, height = draw(st.integers(2, 5000)), draw(st.integers(2, 5000))
    found = []
    for _ in range(draw(st.integers(0, 5))):
        left, top = draw(st.floats(0, width - 1)), draw(st.floats(0, height - 1))
        right, bottom = draw(st.floats(left + 1, width)), draw(st.floats(top + 1, height))
        found.append((Box(left, top, right, bottom, draw(st.sampled_from(LABELS))), draw(st.floats(0, 1))))
    return decision(*found, width=width, height=height)


def quad(x: float, y: float, width: float, height: float, degrees: float) -> list[list[float]]:
    """Corners in pixels of a rectangle turned clockwise about its top left corner."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    sides = [(0, 0), (width, 0), (width, height), (0, height)]
    return [[x + across * cos - down * sin, y + across * sin + down * cos] for across, down in sides]


@st.composite
def turned(draw: st.DrawFn) -> tuple[DetectionDecision, list[tuple[float, ...]]]:
    """A rectangle turned about a corner that lies on an image of any shape, and x, y, width, height and turn."""
    width, height = draw(st.integers(40, 4000)), draw(st.integers(40, 4000))
    least = min(width, height)
    place = (
        draw(st.floats(0.2 * width, 0.8 * width)),
        draw(st.floats(0.2 * height, 0.8 * height)),
        draw(st.floats(max(4, least / 20), least)),
        draw(st.floats(max(4, least / 20), least)),
        draw(st.floats(0.5, 359.5)),
    )
    box = oriented(quad(*place), draw(st.sampled_from(LABELS)), width, height)
    assert box is not None
    return decision((box, 0.5), width=width, height=height), [place]


@pytest.mark.parametrize("tag", TAGS)
class TestTurned:
    @given(turned())
    @settings(max_examples=60, deadline=None)
    def test_what_is_encoded_is_decoded_again(self, tag: str, made: tuple[DetectionDecision, Any]) -> None:
        """The top left pivot within a hundredth of a pixel, and the turn within a tenth of a degree."""
        decided, ((x, y, width, height, degrees),) = made
        regions = CONVERTERS[tag].encode(control(tag), decided, key="7:v1")
        value = regions[0]["value"]
        assert value["x"] * decided.width / WHOLE == pytest.approx(x, abs=0.01)
        assert value["y"] * decided.height / WHOLE == pytest.approx(y, abs=0.01)
        assert abs((value["rotation"] - degrees + 180) % 360 - 180) < 0.1
        assert value["width"] * decided.width / WHOLE == pytest.approx(width, abs=0.01)
        assert value["height"] * decided.height / WHOLE == pytest.approx(height, abs=0.01)
        assert config(tag).validate({"result": regions, "score": 0.5}) == []
        decoded = CONVERTERS[tag].decode(control(tag), regions)
        assert decoded is not None
        image = Item(np.zeros((decided.height, decided.width, 3), np.uint8))
        (found,) = as_boxes(CONVERTERS[tag].target(decoded, image))
        (wanted,) = decided.boxes
        assert isinstance(found, OrientedBox)
        assert isinstance(wanted, OrientedBox)
        np.testing.assert_allclose(found.points, wanted.points, atol=0.01)
        assert found.corners == pytest.approx(wanted.corners, abs=0.01)
        assert found.label == wanted.label

    @given(turned())
    @settings(max_examples=40, deadline=None)
    def test_what_people_drew_is_written_back(self, tag: str, made: tuple[DetectionDecision, Any]) -> None:
        """From a region's value to the same value."""
        decided, _ = made
        regions = CONVERTERS[tag].encode(control(tag), decided, key="7:v1")
        decoded = as_boxes(CONVERTERS[tag].decode(control(tag), regions))
        (box,) = (in_pixels(box, decided.width, decided.height) for box in decoded)
        again = CONVERTERS[tag].encode(
            control(tag), decision((box, 0.5), width=decided.width, height=decided.height), key="7:v1"
        )
        names = ("x", "y", "width", "height", "rotation")
        assert [again[0]["value"][name] for name in names] == pytest.approx(
            [regions[0]["value"][name] for name in names], abs=1e-3
        )

    def test_where_the_pivot_is_beyond_the_edge_another_corner_is_it(self, tag: str) -> None:
        box = oriented(quad(-10, 100, 100, 50, 30), "Car", 640, 480)
        assert box is not None
        regions = CONVERTERS[tag].encode(control(tag), decision((box, 0.5)), key="7:v1")
        assert regions[0]["value"]["x"] >= 0
        assert regions[0]["value"]["rotation"] == pytest.approx(120)
        (found,) = as_boxes(CONVERTERS[tag].decode(control(tag), regions))
        assert box_overlaps([in_pixels(found, 640, 480)], [box])[0, 0] == pytest.approx(1, abs=1e-4)

    def test_what_is_beyond_on_all_sides_is_the_upright_box_around_it(self, tag: str) -> None:
        box = oriented(quad(320, -200, 700, 700, 45), "Car", 640, 480)
        assert box is not None
        regions = CONVERTERS[tag].encode(control(tag), decision((box, 0.5)), key="7:v1")
        assert regions[0]["value"]["rotation"] == 0
        assert config(tag).validate({"result": regions, "score": 0.5}) == []

    def test_a_turn_of_nothing_is_none(self, tag: str) -> None:
        for rotation in (0, 360, None):
            regions = [region(rotation=rotation)]
            if tag == "Rectangle":
                regions = [{**regions[0], "type": "rectangle"}, {**regions[0], "from_name": "what", "type": "labels"}]
                regions[1]["value"] = {**regions[1]["value"], "labels": ["Car"]}
            assert decode(tag, regions) == (Box(10, 20, 40, 60, "Car"),)


@pytest.mark.parametrize("tag", TAGS)
class TestRoundTrip:
    @given(decisions())
    @settings(max_examples=50, deadline=None)
    def test_what_is_encoded_is_decoded_again(self, tag: str, decided: DetectionDecision) -> None:
        """Within a hundredth of a pixel."""
        regions = CONVERTERS[tag].encode(control(tag), decided, key="7:v1")
        image = Item(np.zeros((decided.height, decided.width, 3), np.uint8))
        decoded = CONVERTERS[tag].decode(control(tag), regions)
        assert decoded is not None
        pixels = CONVERTERS[tag].target(decoded, image)
        assert [box.label for box in as_boxes(pixels)] == [box.label for box in decided.boxes]
        for found, wanted in zip(as_boxes(pixels), decided.boxes, strict=True):
            assert found.corners == pytest.approx(wanted.corners, abs=0.01)

    @given(decisions())
    @settings(max_examples=25, deadline=None)
    def test_label_studio_s_own_validator_takes_it(self, tag: str, decided: DetectionDecision) -> None:
        regions = CONVERTERS[tag].encode(control(tag), decided, key="7:v1")
        assert config(tag).validate({"result": regions, "score": 0.5}) == []
        assert len({region["id"] for region in regions}) == len(decided.boxes)
        assert all(0 <= region["score"] <= 1 for region in regions)

    def test_region_ids_depend_on_task_and_version(self, tag: str) -> None:
        one = decision((Box(0, 0, 10, 10, "Car"), 0.9))
        ids = [CONVERTERS[tag].encode(control(tag), one, key=key)[0]["id"] for key in ("7:v1", "7:v1", "7:v2", "8:v1")]
        assert ids[0] == ids[1]
        assert len(set(ids)) == 3

    def test_nothing_found_is_no_region_and_no_region_is_nothing_there(self, tag: str) -> None:
        assert CONVERTERS[tag].encode(control(tag), decision(), key="7:v1") == []
        assert decode(tag, []) == ()
        assert decode(tag, [{"from_name": "other", "type": "choices", "value": {"choices": ["x"]}}]) == ()

    def test_other_kinds_of_decision_are_refused(self, tag: str) -> None:
        wrong = ClassificationDecision((), np.zeros(3, np.float32), 0.5)
        with pytest.raises(TypeError, match="Got a ClassificationDecision"):
            CONVERTERS[tag].encode(control(tag), wrong, key="7:v1")


def as_boxes(target: Any) -> Boxes:
    assert isinstance(target, tuple)
    return target


class TestEncode:
    def test_percentages_of_the_image(self) -> None:
        decided = decision((Box(64, 48, 320, 480, "truck"), 0.75))
        (made,) = CONVERTERS["RectangleLabels"].encode(control(), decided, key="7:v1")
        assert made["value"].pop("rectanglelabels") == ["Car"]
        assert made["value"] == pytest.approx({"x": 10, "y": 10, "width": 40, "height": 90, "rotation": 0})
        assert (made["type"], made["from_name"], made["to_name"]) == ("rectanglelabels", "box", "image")
        assert (made["original_width"], made["original_height"], made["image_rotation"]) == (640, 480, 0)
        assert made["score"] == 0.75

    def test_shape_and_label_share_an_id(self) -> None:
        decided = decision((Box(0, 0, 64, 48, "Car"), 0.5), (Box(64, 0, 128, 48, "s"), 0.4))
        made = CONVERTERS["Rectangle"].encode(control("Rectangle"), decided, key="7:v1")
        assert [(one["from_name"], one["type"]) for one in made] == [("box", "rectangle"), ("what", "labels")] * 2
        assert made[0]["id"] == made[1]["id"] != made[2]["id"] == made[3]["id"]
        assert [one["value"].get("labels") for one in made] == [None, ["Car"], None, ["s"]]

    def test_labels_that_the_config_does_not_have_are_left_out(self) -> None:
        decided = decision((Box(0, 0, 64, 48, "gone"), 0.5))
        assert CONVERTERS["RectangleLabels"].encode(control(), decided, key="7:v1") == []

    def test_boxes_that_reach_over_the_edge_by_rounding_stay_within(self) -> None:
        decided = decision((Box(-0.4, -0.1, 640.3, 480.2, "Car"), 1.2))
        (made,) = CONVERTERS["RectangleLabels"].encode(control(), decided, key="7:v1")
        assert {name: made["value"][name] for name in ("x", "y", "width", "height")} == {
            "x": 0,
            "y": 0,
            "width": WHOLE,
            "height": WHOLE,
        }
        assert made["score"] == 1


class TestDecode:
    def test_percentages_and_pixels(self) -> None:
        (box,) = as_boxes(decode("RectangleLabels", [region()]))
        assert box == Box(10, 20, 40, 60, "Car")
        (pixels,) = as_boxes(CONVERTERS["RectangleLabels"].target((box,), Item(np.zeros((100, 200, 3), np.uint8))))
        assert pixels == Box(20, 20, 80, 60, "Car")

    def test_the_size_of_the_image_at_hand_counts_whatever_the_region_says_of_it(self) -> None:
        boxes = decode("RectangleLabels", [region(original_width=1, original_height=9999)])
        (pixels,) = as_boxes(CONVERTERS["RectangleLabels"].target(boxes, Item(np.zeros((100, 200, 3), np.uint8))))
        assert pixels == Box(20, 20, 80, 60, "Car")

    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_a_turned_photograph_is_measured_upright(self, orientation: int, tmp_path: Path) -> None:
        """As browsers show it, and as the zoo reads it."""
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("RGB", (200, 100)).save(tmp_path / "turned.jpg", exif=exif)
        boxes = (Box(0, 0, 100, 50, "Car"),)
        (pixels,) = as_boxes(CONVERTERS["RectangleLabels"].target(boxes, Item(tmp_path / "turned.jpg")))
        assert (pixels.right, pixels.bottom) == ((100, 100) if orientation in (6, 8) else (200, 50))

    @pytest.mark.parametrize(
        ("rotation", "expected"),
        [
            (0, (50, 50, 60, 60)),
            # A square of 64 x 48 pixels turned clockwise about its top left corner (320, 240).
            (90, (50 - 48 / 6.4, 50, 50, 50 + 64 / 4.8)),
            (180, (40, 40, 50, 50)),
            (270, (50, 50 - 64 / 4.8, 50 + 48 / 6.4, 50)),
            (360, (50, 50, 60, 60)),
            (45, (50 - 48 / math.sqrt(2) / 6.4, 50, 50 + 64 / math.sqrt(2) / 6.4, 50 + 112 / math.sqrt(2) / 4.8)),
        ],
    )
    def test_a_rotated_rectangle_has_the_upright_box_around_it(self, rotation: float, expected: Any) -> None:
        (box,) = as_boxes(decode("RectangleLabels", [region(x=50, y=50, width=10, height=10, rotation=rotation)]))
        assert box.corners == pytest.approx(expected)

    @given(st.floats(0, 360), st.floats(1, 30), st.floats(1, 30), st.integers(10, 4000), st.integers(10, 4000))
    @settings(max_examples=100, deadline=None)
    def test_a_rotated_rectangle_lies_within_its_box_and_touches_all_sides(
        self, rotation: float, width: float, height: float, across: int, down: int
    ) -> None:
        turned = region(
            x=45, y=45, width=width, height=height, rotation=rotation, original_width=across, original_height=down
        )
        boxes = decode("RectangleLabels", [turned])
        angle = math.radians(rotation)
        w, h = width * across / 100, height * down / 100
        corners = [(0, 0), (w, 0), (0, h), (w, h)]
        xs = [45 * across / 100 + x * math.cos(angle) - y * math.sin(angle) for x, y in corners]
        ys = [45 * down / 100 + x * math.sin(angle) + y * math.cos(angle) for x, y in corners]
        expected = (max(min(xs), 0), max(min(ys), 0), min(max(xs), across), min(max(ys), down))
        (box,) = as_boxes(boxes)
        pixels = (box.left * across, box.top * down, box.right * across, box.bottom * down)
        assert [value / 100 for value in pixels] == pytest.approx(expected, abs=1e-6)

    def test_what_lies_outside_is_cut_off(self) -> None:
        (box,) = as_boxes(decode("RectangleLabels", [region(x=-10, y=90, width=30, height=30)]))
        assert box == Box(0, 90, 20, 100, "Car")

    def test_a_rectangle_drawn_backwards(self) -> None:
        (box,) = as_boxes(decode("RectangleLabels", [region(x=40, y=60, width=-30, height=-40)]))
        assert box == Box(10, 20, 40, 60, "Car")

    def test_several_labels_on_one_region_are_several_boxes(self) -> None:
        first, second = as_boxes(decode("RectangleLabels", [region(["Car", "s"])]))
        assert (first.corners, first.label, second.label) == (second.corners, "Car", "s")

    @pytest.mark.parametrize(
        ("bad", "sentence"),
        [
            (region("Van"), 'no longer has the label "Van"'),
            (region([]), "a region without a label"),
            (region([1]), 'no longer has the label "1"'),
            (region(x=None), "no rectangle within the image"),
            (region(width="30"), "no rectangle within the image"),
            (region(width=0), "no rectangle within the image"),
            (region(x=float("nan")), "no rectangle within the image"),
            (region(x=True), "no rectangle within the image"),
            (region(x=101), "no rectangle within the image"),
            (region(rotation="a"), "no rectangle within the image"),
            ({"from_name": "box"}, "a region without a label"),
            ({"from_name": "box", "value": 3}, "a region without a label"),
        ],
    )
    def test_what_cannot_be_used_is_left_out_and_reported(self, bad: Any, sentence: str) -> None:
        reports: list[str] = []
        (box,) = as_boxes(decode("RectangleLabels", [bad, region("s")], reports))
        assert box.label == "s"
        assert len(reports) == 1
        assert sentence in reports[0]
        assert decode("RectangleLabels", [bad]) is None, "something was drawn, so the image is not empty"

    def test_a_control_that_is_not_always_asked_may_be_silent(self) -> None:
        assert decode("RectangleLabels", [], attributes='visibleWhen="choice-selected"') is None

    def test_labels_of_other_shapes_are_not_a_rectangle_s(self) -> None:
        def part(name: str, kind: str, key: str, **value: Any) -> dict[str, Any]:
            shape = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
            return {"id": key, "from_name": name, "to_name": "image", "type": kind, "value": {**shape, **value}}

        result = [
            part("what", "labels", "a", labels=["Car"]),
            part("box", "rectangle", "a"),
            part("what", "labels", "b", labels=["s"]),  # of a polygon
        ]
        assert decode("Rectangle", result) == (Box(10, 20, 40, 60, "Car"),)
        assert decode("Rectangle", result[2:]) == (), "no rectangle was drawn"
        assert decode("Rectangle", [part("box", "rectangle", "a")]) is None, "it was drawn and not named"
