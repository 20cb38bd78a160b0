"""Painted, outlined and round objects: both directions, and what is left out."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_studio_sdk.converter import brush
from PIL import Image

from backend.converters import CONVERTERS
from backend.converters.brush_rle import decode, encode
from backend.converters.outlines import NEGLIGIBLE, fill, trace
from backend.labelstudio.config import Control, parse_config
from model_zoo.masks import mask_of, mask_overlaps, pixels, resized
from model_zoo.postprocess import InstanceDecision
from model_zoo.types import Item, Mask, TaskKind

TAGS = ("BrushLabels", "PolygonLabels", "BitmaskLabels", "EllipseLabels")
EXACT = ("BrushLabels", "BitmaskLabels")
Bits = npt.NDArray[np.bool_]


def xml(tag: str, attributes: str = "") -> str:
    labels = '<Label value="Car"/><Label value="Sign" alias="s" predicted_values="stop sign"/>'
    return f'<View><Image name="i" value="$i"/><{tag} name="o" toName="i" {attributes}>{labels}</{tag}></View>'


def control(tag: str, attributes: str = "") -> Control:
    return parse_config(xml(tag, attributes)).controls[0]


def decision(*masks: Mask) -> InstanceDecision:
    return InstanceDecision(masks, (0.75,) * len(masks), np.zeros(2, np.float32), 0.5, masks[0].width, masks[0].height)


def there_and_back(tag: str, *masks: Mask) -> tuple[Mask, ...]:
    regions = CONVERTERS[tag].encode(control(tag), decision(*masks), key="7:v1")
    assert parse_config(xml(tag)).validate({"result": regions}) == []
    return masks_of(CONVERTERS[tag].decode(control(tag), regions))


def masks_of(target: Any) -> tuple[Mask, ...]:
    assert isinstance(target, tuple)
    return target


def known(mask: Mask | None) -> Mask:
    assert mask is not None
    return mask


def disc(size: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float], turned: float = 0.0) -> Bits:
    across, down = np.meshgrid(np.arange(size[0]) + 0.5 - centre[0], np.arange(size[1]) + 0.5 - centre[1])
    cos, sin = np.cos(np.radians(turned)), np.sin(np.radians(turned))
    along, beside = across * cos + down * sin, down * cos - across * sin
    return (along / radii[0]) ** 2 + (beside / radii[1]) ** 2 <= 1  # type: ignore[no-any-return]  # an array


def region(tag: str, value: dict[str, Any], label: str = "Car", **more: Any) -> dict[str, Any]:
    base = {"id": "r", "from_name": "o", "to_name": "i", "type": tag.lower(), "original_width": 80}
    return {**base, "original_height": 60, "value": {**value, tag.lower(): [label]}, **more}


noise = st.builds(
    lambda width, height, seed, share: np.random.default_rng(seed).random((height, width)) < share,
    *[st.integers(1, 40)] * 2,
    st.integers(0, 99),
    st.sampled_from([0.02, 0.5, 0.98, 1.0]),
)


class TestRunLengths:
    @given(noise)
    def test_exact_and_the_same_as_the_sdk_writes(self, mask: Bits) -> None:
        packed = encode(mask)
        np.testing.assert_array_equal(decode(packed, *mask.shape[::-1]), mask)
        theirs = brush.mask2rle(mask.astype(np.uint8) * 255)
        assert theirs[: len(packed)] == packed
        assert set(theirs[len(packed) :]) <= {0}

    def test_runs_longer_than_a_length_can_say(self) -> None:
        mask = np.ones((300, 400), np.bool_)
        mask[150, 7] = False
        np.testing.assert_array_equal(decode(encode(mask), 400, 300), mask)

    def test_what_the_page_paints_in_colour_with_soft_edges(self) -> None:
        painted = np.zeros((30, 40, 4), np.uint8)
        painted[5:20, 4:30] = (255, 3, 7, 255)
        painted[4, 4:30] = (255, 3, 7, 100)
        rle = brush.encode_rle(painted.ravel())
        np.testing.assert_array_equal(decode(rle, 40, 30), painted[:, :, 3] == 255)

    @pytest.mark.parametrize("wrong", [[], [0] * 20, [1, "a"], [300] * 40, encode(np.ones((9, 9), np.bool_))[:9]])
    def test_nonsense_is_refused(self, wrong: list[Any]) -> None:
        with pytest.raises(ValueError, match="run lengths"):
            decode(wrong, 9, 9)


@pytest.mark.parametrize("tag", TAGS)
class TestEveryShape:
    def test_config_and_kind(self, tag: str) -> None:
        found = control(tag)
        assert (found.tag, found.label_names) == (tag, ("Car", "s"))
        assert CONVERTERS[tag].kind(found) is TaskKind.INSTANCE_SEGMENTATION

    def test_objects_keep_their_place_and_label(self, tag: str) -> None:
        first = known(mask_of("Car", disc((80, 60), (20, 30), (12, 12)), (80, 60)))
        second = known(mask_of("stop sign", disc((80, 60), (60, 20), (9, 9)), (80, 60)))
        back = there_and_back(tag, first, second)
        assert [mask.label for mask in back] == ["Car", "s"]
        assert [mask_overlaps([a], [b])[0, 0] > 0.9 for a, b in zip((first, second), back, strict=True)] == [True] * 2

    def test_regions_say_all_that_the_page_wants(self, tag: str) -> None:
        mask = known(mask_of("Car", disc((80, 60), (20, 30), (12, 12)), (80, 60)))
        (made,) = CONVERTERS[tag].encode(control(tag), decision(mask), key="7:v1")
        assert made["value"][tag.lower()] == ["Car"]
        assert (made["type"], made["from_name"], made["to_name"]) == (tag.lower(), "o", "i")
        assert (made["original_width"], made["original_height"], made["score"]) == (80, 60, 0.75)
        again = CONVERTERS[tag].encode(control(tag), decision(mask), key="7:v2")
        assert again[0]["id"] != made["id"]

    def test_nothing_drawn_and_nothing_usable(self, tag: str) -> None:
        assert CONVERTERS[tag].decode(control(tag), []) == ()
        assert CONVERTERS[tag].decode(control(tag, 'visibleWhen="choice-selected"'), []) is None
        reports: list[str] = []
        assert CONVERTERS[tag].decode(control(tag), [region(tag, {})], reports.append) is None
        assert len(reports) == 1
        gone = region(tag, {}, "Bus")
        assert CONVERTERS[tag].decode(control(tag), [gone], reports.append) is None
        assert 'no longer has the label "Bus"' in reports[1]

    def test_learnt_in_the_size_of_the_image_itself(self, tag: str) -> None:
        mask = known(mask_of("Car", disc((80, 60), (20, 30), (12, 12)), (80, 60)))
        (back,) = there_and_back(tag, mask)
        (target,) = masks_of(CONVERTERS[tag].target((back,), Item(np.zeros((120, 160, 3), np.uint8))))
        assert (target.width, target.height) == (160, 120)
        assert mask_overlaps([target], [known(resized(mask, 160, 120))])[0, 0] > 0.9


@pytest.mark.parametrize("tag", EXACT)
@given(mask=noise)
@settings(max_examples=30)
def test_painted_masks_are_exact_to_the_pixel(tag: str, mask: Bits) -> None:
    """With holes and any number of parts."""
    whole = mask_of("Car", mask, mask.shape[::-1])
    if whole is not None:
        assert there_and_back(tag, whole) == (whole,)


@pytest.mark.parametrize("tag", EXACT)
def test_an_empty_mask_is_left_out(tag: str) -> None:
    converter, nothing = CONVERTERS[tag], np.zeros((60, 80), np.bool_)
    picture = io.BytesIO()
    Image.fromarray(nothing.astype(np.uint8)).save(picture, "PNG")
    address = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    empty = region(tag, {"format": "rle", "rle": encode(nothing), "imageDataURL": address})
    assert converter.decode(control(tag), [empty]) is None


@pytest.mark.parametrize(
    "said", [{"original_width": 81}, {"original_height": 0}, {"original_width": "80"}, {"original_height": 10**9}]
)
def test_run_lengths_of_another_size_than_said_are_left_out(said: dict[str, Any]) -> None:
    painted = {"format": "rle", "rle": encode(np.ones((60, 80), np.bool_))}
    assert CONVERTERS["BrushLabels"].decode(control("BrushLabels"), [region("BrushLabels", painted, **said)]) is None


@pytest.mark.parametrize("address", ["", "data:image/png;base64,!", "data:image/png;base64,AAAA", "file:///etc/passwd"])
def test_bitmaps_that_are_none(address: str) -> None:
    made = region("BitmaskLabels", {"imageDataURL": address})
    assert CONVERTERS["BitmaskLabels"].decode(control("BitmaskLabels"), [made]) is None


def test_a_bitmap_counts_by_its_own_size_and_by_what_is_opaque() -> None:
    canvas = np.zeros((30, 40, 4), np.uint8)
    canvas[3:9, 4:10] = (0, 0, 0, 255)
    picture = io.BytesIO()
    Image.fromarray(canvas).save(picture, "PNG")
    address = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    (mask,) = masks_of(
        CONVERTERS["BitmaskLabels"].decode(
            control("BitmaskLabels"), [region("BitmaskLabels", {"imageDataURL": address})]
        )
    )
    assert (mask.width, mask.height, mask.corners) == (40, 30, (4, 3, 10, 9))


class TestPolygons:
    @given(st.integers(0, 500))
    @settings(max_examples=40)
    def test_within_the_written_tolerance(self, seed: int) -> None:
        """The edge moves by less than two pixels or twice half a percent of the diagonal; only specks are missing."""
        random = np.random.default_rng(seed)
        size = (int(random.integers(60, 200)), int(random.integers(60, 200)))
        mask = np.zeros(size[::-1], np.bool_)
        for _ in range(3):
            centre = random.uniform(20, 40, 2)
            mask |= disc(
                size, (centre[0], centre[1]), (random.uniform(8, 18), random.uniform(8, 18)), random.uniform(0, 90)
            )
        mask &= ~disc(size, (30, 30), (4, 5))
        whole = known(mask_of("Car", mask, size))
        (back,) = there_and_back("PolygonLabels", whole)
        allowed = max(2.0, 0.01 * float(np.hypot(*size)))
        wrong = pixels(back) ^ mask
        assert not (wrong & ~_edge(mask, allowed)).any()

    def test_parts_and_holes_come_in_one_region(self) -> None:
        mask = disc((100, 80), (30, 40), (25, 25)) & ~disc((100, 80), (30, 40), (10, 10))
        mask[10:40, 80:95] = True
        whole = known(mask_of("Car", mask, (100, 80)))
        (back,) = there_and_back("PolygonLabels", whole)
        assert mask_overlaps([back], [whole])[0, 0] > 0.95

    def test_specks_and_pinholes_are_left_out(self) -> None:
        mask = np.zeros((80, 100), np.bool_)
        mask[10:60, 10:60] = True
        mask[30, 30] = mask[30, 31] = False
        mask[70, 90] = True
        filled = fill(trace(mask), (100, 80))
        assert filled[30, 30]
        assert not filled[70, 90]
        assert NEGLIGIBLE < 0.05

    @pytest.mark.parametrize("side", [1, 2, 3])
    def test_objects_of_a_few_pixels(self, side: int) -> None:
        mask = np.zeros((20, 30), np.bool_)
        mask[5 : 5 + side, 7 : 7 + side] = True
        whole = known(mask_of("Car", mask, (30, 20)))
        assert there_and_back("PolygonLabels", whole) == (whole,)

    def test_what_lies_outside_of_the_image_is_cut_off(self) -> None:
        points = [[-50, -50], [50, -50], [50, 50], [-50, 50]]
        (mask,) = masks_of(
            CONVERTERS["PolygonLabels"].decode(control("PolygonLabels"), [region("PolygonLabels", {"points": points})])
        )
        assert mask.corners == (0, 0, 40, 30)
        assert pixels(mask).sum() == 40 * 30

    @pytest.mark.parametrize("said", [{"original_width": None}, {"original_width": 1}, {"original_height": -3}])
    def test_a_wrong_size_of_the_image_does_no_harm(self, said: dict[str, Any]) -> None:
        points = [[25, 25], [75, 25], [75, 75], [25, 75]]
        made = region("PolygonLabels", {"points": points}, **said)
        decoded = CONVERTERS["PolygonLabels"].decode(control("PolygonLabels"), [made])
        (mask,) = masks_of(CONVERTERS["PolygonLabels"].target(decoded or (), Item(np.zeros((60, 80, 3), np.uint8))))
        assert mask.corners == (20, 15, 60, 45)

    @pytest.mark.parametrize(
        "points", [None, [], [[1, 1], [2, 2]], [[1, 1], [2, 2], [3]], [[1, 1], [2, "2"], [3, 4]], [[1, 1e300]] * 3]
    )
    def test_what_is_no_polygon(self, points: Any) -> None:
        made = region("PolygonLabels", {"points": points})
        assert CONVERTERS["PolygonLabels"].decode(control("PolygonLabels"), [made]) is None


class TestEllipses:
    @given(
        st.tuples(st.floats(40, 60), st.floats(40, 60)),
        st.tuples(st.floats(8, 28), st.floats(8, 28)),
        st.floats(0, 179.9),
    )
    @settings(max_examples=60)
    def test_fitted_within_the_written_tolerance(
        self, centre: tuple[float, float], radii: tuple[float, float], turned: float
    ) -> None:
        mask = known(mask_of("Car", disc((100, 100), centre, radii, turned), (100, 100)))
        (made,) = CONVERTERS["EllipseLabels"].encode(control("EllipseLabels"), decision(mask), key="7:v1")
        value = made["value"]
        assert (value["x"], value["y"]) == pytest.approx(centre, abs=0.5)
        found = sorted((value["radiusX"], value["radiusY"]))
        for one, other in zip(found, sorted(radii), strict=True):
            assert abs(one - other) <= max(0.5, 0.03 * other)
        (back,) = masks_of(CONVERTERS["EllipseLabels"].decode(control("EllipseLabels"), [made]))
        assert mask_overlaps([back], [mask])[0, 0] > 0.93

    def test_radii_count_in_widths_and_heights(self) -> None:
        made = region("EllipseLabels", {"x": 50, "y": 50, "radiusX": 25, "radiusY": 25, "rotation": 0})
        (mask,) = masks_of(CONVERTERS["EllipseLabels"].decode(control("EllipseLabels"), [made]))
        assert mask.corners == (20, 15, 60, 45)

    def test_a_tall_one_in_a_tall_image_is_not_cut(self) -> None:
        whole = known(mask_of("Car", disc((60, 400), (30, 200), (15, 150)), (60, 400)))
        (back,) = there_and_back("EllipseLabels", whole)
        assert mask_overlaps([back], [whole])[0, 0] > 0.95

    def test_what_lies_outside_of_the_image_is_cut_off(self) -> None:
        made = region("EllipseLabels", {"x": 0, "y": 0, "radiusX": 25, "radiusY": 25})
        (mask,) = masks_of(CONVERTERS["EllipseLabels"].decode(control("EllipseLabels"), [made]))
        assert mask.corners == (0, 0, 20, 15)

    @pytest.mark.parametrize("value", [{"x": 1}, {"x": 5, "y": 5, "radiusX": 0, "radiusY": 5}, {"x": 500, "y": 5}])
    def test_what_is_no_ellipse(self, value: dict[str, Any]) -> None:
        made = region("EllipseLabels", {"radiusX": 5, "radiusY": 5, **value})
        assert CONVERTERS["EllipseLabels"].decode(control("EllipseLabels"), [made]) is None


def _edge(mask: Bits, width: float) -> Bits:
    """Pixels as near to the edge as that."""
    import cv2

    side = 2 * int(np.ceil(width)) + 1
    kernel = np.ones((side, side), np.uint8)
    padded = np.pad(mask.astype(np.uint8), side)
    near = (cv2.dilate(padded, kernel) > 0) & ~(cv2.erode(padded, kernel) > 0)
    return np.asarray(near[side:-side, side:-side], np.bool_)
