"""Engines on drawn scenes: what they answer is right where it can be known, and odd prompts do no harm."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from model_zoo.errors import WeightsNotFound
from model_zoo.interactive.alike import similar, tight
from model_zoo.interactive.grabcut import GrabCut, cut
from model_zoo.interactive.instances import Instances, corrected, worths
from model_zoo.interactive.poses import COCO_POINTS, Poser, Seen
from model_zoo.interactive.prompts import Mask, Pixels, Prompt, window
from model_zoo.interactive.proposals import Proposals, Segmenter
from model_zoo.interactive.sam import SegmentAnything
from model_zoo.object_detection.upstream import SUFFIXES, build, segment_anything

needs_ultralytics = pytest.mark.skipif(
    find_spec("ultralytics") is None, reason="the extra `detection` is not installed"
)

SIDE = 128
SQUARE = (40, 30, 80, 90)
"""A red rectangle on grey: left, top, right, bottom."""
OTHER = (90, 40, 120, 70)


def scene() -> Pixels:
    pixels = np.full((SIDE, SIDE, 3), 120, np.uint8)
    for corners, colour in ((SQUARE, (220, 30, 30)), (OTHER, (30, 30, 220))):
        pixels[area(corners)] = colour
    return pixels


def area(corners: tuple[int, int, int, int]) -> tuple[slice, slice]:
    return slice(corners[1], corners[3]), slice(corners[0], corners[2])


def filled(corners: tuple[int, int, int, int]) -> Mask:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[area(corners)] = True
    return mask


def share(first: Mask, second: Mask) -> float:
    return float((first & second).sum() / (first | second).sum())


def proposals(*objects: tuple[tuple[int, int, int, int], str, float]) -> Proposals:
    """What a perfect network sees: masks at a quarter of the image, one prototype an object."""
    names = ("person", "car", "dog")
    quarter = [np.where(filled(corners)[2::4, 2::4], 6.0, -6.0).astype(np.float32) for corners, _, _ in objects]
    classes = np.array(
        [[score if name == label else 0.01 for name in names] for _, label, score in objects], np.float32
    )
    looks = np.zeros((3, 16, 16), np.float16)
    for corners, label, _ in objects:
        looks[names.index(label)][tuple(slice(one.start // 8, -(-one.stop // 8)) for one in area(corners))] = 1
    boxes = np.array([corners for corners, _, _ in objects], np.float32).reshape(-1, 4)
    coefficients = np.eye(len(objects), dtype=np.float32)
    prototypes = np.stack(quarter) if quarter else np.zeros((0, 32, 32), np.float32)
    return Proposals(
        boxes, classes.reshape(-1, 3), names, coefficients, prototypes, (looks,), (0, 0, 32, 32), SIDE, SIDE
    )


class Known:
    """Proposes what a test says."""

    name = "known"

    def __init__(self, seen: Proposals) -> None:
        self._seen = seen

    def propose(self, pixels: Pixels) -> Proposals:
        return self._seen


@pytest.mark.parametrize("prompt", [Prompt(((60, 60),)), Prompt(box=(34, 24, 86, 96)), Prompt(((60, 60),), ((5, 5),))])
def test_grabcut_finds_what_stands_out_and_gives_the_same_again(prompt: Prompt) -> None:
    first, again = cut(scene(), prompt), cut(scene(), prompt)
    assert first is not None
    assert again is not None
    assert share(first, filled(SQUARE)) > 0.9
    assert (first == again).all()


@pytest.mark.parametrize("prompt", [Prompt(), Prompt(negatives=((5, 5),)), Prompt(((-4, 2),)), Prompt(((SIDE, 2),))])
def test_grabcut_finds_nothing_where_nothing_is_meant(prompt: Prompt) -> None:
    assert GrabCut().mask(scene(), None, prompt) is None


def test_grabcut_takes_tiny_images_and_boxes_beyond_the_image() -> None:
    for shape in ((1, 1, 3), (2, 3, 3), (3, 400, 3)):
        GrabCut().mask(np.zeros(shape, np.uint8), None, Prompt(((0, 0),)))
        GrabCut().mask(np.zeros(shape, np.uint8), None, Prompt(box=(-50, -50, 500, 500)))


def test_a_click_chooses_the_proposal_that_covers_it() -> None:
    seen = proposals((SQUARE, "person", 0.3), (OTHER, "car", 0.9))
    engine = Instances(Known(seen))
    for prompt, wanted in (
        (Prompt(((60, 60),)), SQUARE),
        (Prompt(((100, 50),)), OTHER),
        (Prompt(box=(38, 28, 82, 92)), SQUARE),
    ):
        found = engine.mask(scene(), engine.features(scene()), prompt)
        assert found is not None
        assert share(found.mask, filled(wanted)) > 0.9
    for prompt in (Prompt(((10, 110),)), Prompt(box=(0, 0, 20, 20))):
        assert engine.mask(scene(), seen, prompt) is None
    assert engine.mask(scene(), proposals(), Prompt(((60, 60),))) is None


def test_the_name_of_the_label_and_negative_clicks_choose_between_proposals() -> None:
    whole, part = (30, 20, 90, 100), SQUARE
    seen = proposals((whole, "car", 0.6), (part, "person", 0.4))
    assert worths(seen, Prompt(((60, 60),))).argmax() == 0
    assert worths(seen, Prompt(((60, 60),), called=frozenset({"person"}))).argmax() == 1
    assert worths(seen, Prompt(((60, 60),), ((33, 22),))).argmax() == 1


def test_clicks_that_contradict_a_mask_correct_it_near_them_alone() -> None:
    too_small = filled((40, 30, 80, 55))
    more = corrected(scene(), too_small, Prompt(((60, 40), (60, 75))))
    assert more is not None
    assert share(more, filled(SQUARE)) > max(0.8, share(too_small, filled(SQUARE)))
    too_large = filled(SQUARE) | filled((40, 90, 80, 120))
    less = corrected(scene(), too_large, Prompt(((60, 60),), ((60, 105),)))
    assert less is not None
    assert share(less, filled(SQUARE)) > share(too_large, filled(SQUARE))
    assert not less[105, 60]
    assert less[area((40, 30, 80, 60))].all()


def test_objects_like_an_example_are_of_its_class_and_look() -> None:
    seen = proposals((SQUARE, "car", 0.9), (OTHER, "person", 0.9), ((5, 5, 25, 30), "person", 0.8))
    found = similar(scene(), seen, OTHER, (), frozenset())
    assert [tuple(map(round, one.corners)) for one in found] == [(5, 5, 25, 30)]
    assert similar(scene(), seen, OTHER, [(5, 5, 25, 30)], frozenset()) == []


def test_a_loose_box_is_tightened_by_a_proposal_or_without_any() -> None:
    loose = (34.0, 22.0, 90.0, 100.0)
    for seen in (proposals((SQUARE, "person", 0.7), (OTHER, "car", 0.9)), None):
        found = tight(scene(), seen, loose, frozenset())
        assert found is not None
        assert found.corners == pytest.approx(SQUARE, abs=2)


def test_the_points_are_those_of_the_person_in_the_box() -> None:
    points = np.zeros((2, len(COCO_POINTS), 3), np.float32)
    points[0, 0], points[1, 0], points[1, 1] = (50, 40, 0.9), (100, 50, 0.9), (101, 51, 0.3)
    seen = Seen(np.array([SQUARE, OTHER], np.float32), np.array([0.9, 0.8], np.float32), points)
    found = seen.within((88, 38, 122, 72))
    assert found is not None
    assert [(one.name, one.across, one.visible) for one in found] == [("nose", 100, True), ("left eye", 101, False)]
    assert seen.within((0, 0, 10, 10)) is None


def test_the_window_of_a_mask() -> None:
    assert window(filled(SQUARE)) == SQUARE
    assert window(np.zeros((3, 3), np.bool_)) is None


@needs_ultralytics
@pytest.mark.parametrize(("size", "task"), [((48, 80), "segmentation"), ((80, 48), "pose")])
def test_networks_of_random_weights_run_to_the_end(size: tuple[int, int], task: str, tmp_path: Path) -> None:
    """Shapes and geometry; what trained ones find is measured by the benchmark."""
    import torch

    file = tmp_path / "network.pt"
    torch.save({"model": build(f"yolov8n{SUFFIXES[task]}", task)}, file)
    pixels = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    if task == "pose":
        seen = Poser(file).see(pixels)
        assert seen.points.shape[1:] == (len(COCO_POINTS), 3)
        return
    engine = Instances(Segmenter(file))
    features = engine.features(pixels)
    assert engine.nbytes(features) > 0
    assert features.describe(np.array([[0, 0, 10, 10]], np.float32)).shape[0] == 1
    if len(features.boxes):
        assert features.mask(0).shape == size
    with pytest.raises(WeightsNotFound, match="no pose network"):
        Poser(file).see(pixels)


def tiny_sam(file: Path, encoder: str) -> Path:
    """Random weights of an encoder that is as small as the architecture lets it be; the rest is as large as ever."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        # The last width tells Ultralytics' code that this stage keeps its resolution.
        sizes = ([32, 32, 32, 320], [1] * 4, [1, 1, 1, 10], None) if encoder == "MobileSAM" else ([64], [2], [2], [1])
        torch.save(segment_anything(*sizes).state_dict(), file)
    return file


@needs_ultralytics
@pytest.mark.parametrize("encoder", ["MobileSAM", "SAM"])
def test_a_model_of_the_sam_family_embeds_once_and_answers_prompts(tmp_path: Path, encoder: str) -> None:
    """Random weights: what trained ones find is not known here; shapes, geometry and sizes read off the file are."""
    engine, pixels = SegmentAnything(tiny_sam(tmp_path / "mobile_sam.pt", encoder)), scene()
    features = engine.features(pixels)
    assert engine.nbytes(features) == 256 * 64 * 64 * 4
    prompts = (
        Prompt(((60, 60),)),
        Prompt(((60, 60),), ((5, 5),)),
        Prompt(box=SQUARE),
        Prompt(((60, 60),), box=SQUARE),
    )
    found = [engine.mask(pixels, features, prompt) for prompt in prompts]
    assert [one.mask.shape for one in found if one is not None] == [(SIDE, SIDE)] * len(prompts)
    assert all(0 <= one.confidence <= 1 for one in found if one is not None)
    again = engine.mask(pixels, features, prompts[0])
    assert again is not None
    assert found[0] is not None
    assert (again.mask == found[0].mask).all()
    assert engine.mask(pixels, features, Prompt(((-5, 5),))) is None
    wide = engine.features(np.zeros((30, 200, 3), np.uint8))
    assert wide.inner == (1024, 154)


@needs_ultralytics
def test_a_file_that_holds_no_sam_is_said(tmp_path: Path) -> None:
    import torch

    file = tmp_path / "mobile_sam.pt"
    torch.save({"weight": torch.zeros(3)}, file)
    for content in (b"nothing", file.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(WeightsNotFound, match="holds no weights of the Segment Anything family"):
            SegmentAnything(file).features(scene())
