"""Maps of images: both directions, and what makes painted regions one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.converters import CONVERTERS
from backend.converters.maps import FIRST, as_before, as_labelled, is_map
from backend.errors import InvalidConfig
from backend.labelstudio.config import Control, parse_config
from backend.labelstudio.controls import INSTANCE, SEMANTIC
from backend.store.manifest import ControlVersion
from model_zoo.masks import map_of, mask_of, mask_overlaps, pixels
from model_zoo.postprocess import SegmentationDecision
from model_zoo.types import Mask, Masks, TaskKind

TAGS = ("BrushLabels", "BitmaskLabels", "PolygonLabels")
LABELS = ("Sky", "Ground", "Rock")
ASKED = 'prelabel_task="semantic"'


def xml(tag: str, attributes: str = ASKED) -> str:
    labels = "".join(f'<Label value="{name}"/>' for name in LABELS)
    return f'<View><Image name="i" value="$i"/><{tag} name="o" toName="i" {attributes}>{labels}</{tag}></View>'


def control(tag: str, attributes: str = ASKED) -> Control:
    return parse_config(xml(tag, attributes)).controls[0]


def masks_of(target: Any) -> Masks:
    assert isinstance(target, tuple)
    return target


def regions(tag: str, masks: Masks) -> list[dict[str, Any]]:
    size = masks[0].width, masks[0].height
    decided = SegmentationDecision(masks, (0.75,) * len(masks), np.zeros(3, np.float32), 0.5, *size)
    return CONVERTERS[tag].encode(control(tag), decided, key="7:v1")


def areas(classes: Any) -> Masks:
    """Masks of what each pixel is; -1 is nothing."""
    size = classes.shape[::-1]
    found = (mask_of(name, classes == index, size) for index, name in enumerate(LABELS))
    return tuple(mask for mask in found if mask is not None)


def band(label: str, top: int, bottom: int) -> Mask:
    whole = np.zeros((40, 60), np.bool_)
    whole[top:bottom] = True
    mask = mask_of(label, whole, (60, 40))
    assert mask is not None
    return mask


noise = st.builds(
    lambda width, height, seed: np.random.default_rng(seed).integers(-1, 3, (height, width)),
    *[st.integers(1, 40)] * 2,
    st.integers(0, 99),
)


@pytest.mark.parametrize("tag", ["BrushLabels", "BitmaskLabels"])
@given(classes=noise)
@settings(max_examples=30)
def test_painted_maps_are_exact_to_the_pixel(tag: str, classes: Any) -> None:
    masks = areas(classes)
    if masks:
        made = regions(tag, masks)
        assert parse_config(xml(tag)).validate({"result": made}) == []
        assert CONVERTERS[tag].decode(control(tag), made) == masks


@given(st.integers(0, 99))
@settings(max_examples=20)
def test_outlined_maps_keep_their_areas(seed: int) -> None:
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(np.arange(120), np.arange(90))
    slope, shift, middle = random.uniform(-0.3, 0.3), random.uniform(30, 50), random.uniform(40, 80)
    classes = (down > slope * across + shift).astype(int)
    classes[(across - middle) ** 2 + (down - 65) ** 2 < 200] = 2
    masks = areas(classes)
    made = regions("PolygonLabels", masks)
    assert parse_config(xml("PolygonLabels")).validate({"result": made}) == []
    back = masks_of(CONVERTERS["PolygonLabels"].decode(control("PolygonLabels"), made))
    assert [mask.label for mask in back] == [mask.label for mask in masks]
    for one, other in zip(masks, back, strict=True):
        assert mask_overlaps([one], [other])[0, 0] > 0.9
    for at, one in enumerate(back):
        assert not any((pixels(one) & pixels(other)).any() for other in back[at + 1 :])


@pytest.mark.parametrize("tag", TAGS)
class TestAsked:
    def test_kind(self, tag: str) -> None:
        assert CONVERTERS[tag].kind(control(tag)) is TaskKind.SEMANTIC_SEGMENTATION
        assert CONVERTERS[tag].kind(control(tag, 'prelabel_task="instance"')) is TaskKind.INSTANCE_SEGMENTATION
        assert CONVERTERS[tag].kind(control(tag, "")) is TaskKind.INSTANCE_SEGMENTATION

    def test_regions_of_one_label_are_one_area_and_the_last_lies_above(self, tag: str) -> None:
        strokes = (band("Sky", 0, 10), band("Ground", 20, 40), band("Sky", 8, 24))
        made = [region for stroke in strokes for region in regions(tag, (stroke,))]
        found = CONVERTERS[tag].decode(control(tag), made)
        # Sky was begun first, and is one: where ground was painted since, that is above it.
        assert found == map_of(strokes, (60, 40)).masks
        assert len(masks_of(found)) == 2
        assert len(masks_of(CONVERTERS[tag].decode(control(tag, ""), made))) == 3

    def test_is_no_hyperparameter(self, tag: str) -> None:
        assert control(tag).hyperparameters == {}


def test_a_wrong_word_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidConfig, match='got "panoptic", wanted "instance" or "semantic"'):
        control("BrushLabels", 'prelabel_task="panoptic"')
    with pytest.raises(InvalidConfig, match="wanted none on this tag"):
        control("EllipseLabels", ASKED)


MAP: Masks = (band("Sky", 0, 19), band("Ground", 19, 39))
OBJECTS: Masks = (band("Rock", 3, 9), band("Rock", 20, 30))
UNET = ControlVersion("semantic_segmentation/unet_lite0.v1", "0" * 64, LABELS)
SEGMENTER = ControlVersion("instance_segmentation/yolo_seg.v1", "0" * 64, LABELS)


class TestEvidence:
    def test_what_a_map_is(self) -> None:
        assert is_map(MAP)
        assert not is_map(OBJECTS)
        assert not is_map((band("Sky", 0, 19), band("Sky", 19, 40))), "two of one label are two objects"
        assert not is_map((band("Sky", 0, 30),)), "a quarter is left out"
        assert not is_map(())

    def test_the_first_images_decide_and_say_so_once(self) -> None:
        painted = control("BrushLabels", "")
        assert as_labelled(painted, None, [(band("Rock", 0, 40),)])[0].task is None, "it may be a close-up"
        settled, said = as_labelled(painted, None, [MAP])
        assert settled.task == SEMANTIC
        assert 'prelabel_task="instance"' in said
        again, news = as_labelled(painted, UNET, [MAP, MAP, MAP])
        assert (again.task, news) == (SEMANTIC, "")
        assert as_labelled(painted, None, [OBJECTS, OBJECTS]) == (painted, "")

    def test_a_decision_stays_between_the_marks_and_after_the_first_images(self) -> None:
        painted = control("BrushLabels", "")
        mixed = [MAP, MAP, MAP, OBJECTS, OBJECTS]
        assert as_labelled(painted, UNET, mixed)[0].task == SEMANTIC
        assert as_labelled(painted, SEGMENTER, mixed)[0].task == INSTANCE
        later = [MAP] * FIRST + [OBJECTS] * 50
        assert as_labelled(painted, UNET, later) == as_labelled(painted, UNET, [MAP] * FIRST)

    def test_clear_contradiction_changes_it(self) -> None:
        settled, said = as_labelled(control("BrushLabels", ""), UNET, [MAP, *[OBJECTS] * 4])
        assert settled.task == INSTANCE
        assert 'prelabel_task="semantic"' in said
        settled, said = as_labelled(control("BrushLabels", ""), SEGMENTER, [OBJECTS, *[MAP] * 8])
        assert settled.task == SEMANTIC

    @pytest.mark.parametrize("attributes", ['prelabel_task="instance"', f'prelabel_model="{SEGMENTER.family}"'])
    def test_the_config_s_word_counts(self, attributes: str) -> None:
        asks = control("BrushLabels", attributes)
        assert as_labelled(asks, UNET, [MAP] * 5)[1] == ""
        assert as_before(asks, UNET).task == INSTANCE

    def test_outlines_are_objects_unless_a_map_is_asked_for(self) -> None:
        assert as_labelled(control("PolygonLabels", ""), None, [MAP] * 5) == (control("PolygonLabels", ""), "")
        assert as_before(control("PolygonLabels", f'prelabel_model="{UNET.family}"'), None).task == SEMANTIC
