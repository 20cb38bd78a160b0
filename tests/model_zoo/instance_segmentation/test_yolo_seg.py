"""What segmenters promise beyond what `object_detection/test_family.py` holds all of their kin to. Without pretrained
weights: networks begin at random, and learn scenes that are simple enough for that."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from model_zoo.base import Family, Model, Progress, Watch
from model_zoo.errors import Cancelled, CheckpointError, TrainingImpossible, WeightsNotFound
from model_zoo.instance_segmentation.fitting import MASKS, MaskLoss, loss_of
from model_zoo.masks import mask_of, mask_overlaps
from model_zoo.object_detection import bases, upstream
from model_zoo.object_detection.cache import Cache, View
from model_zoo.object_detection.fitting import fit_parts
from model_zoo.object_detection.hyperparameters import Hyperparameters
from model_zoo.object_detection.model import YoloModel
from model_zoo.object_detection.network import PARTS, Network, digest
from model_zoo.object_detection.views import Augmentation, Picture, view
from model_zoo.postprocess import InstancePostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import (
    DetectionExample,
    FloatArray,
    InstanceExample,
    InstanceOutput,
    Item,
    LabelSpace,
    Output,
    TaskKind,
)
from tests.model_zoo.object_detection.conftest import LABELS, scene

SPACE = LabelSpace(LABELS)
TINY = {"image_size": 64, "views": 2, "epochs": 2, "batch": 4}
QUICK = Recipe(overrides={**TINY, "freeze": "boxes"})

Examples = list[InstanceExample]


def painted(seed: int, size: tuple[int, int] = (64, 64)) -> InstanceExample:
    """The squares of `scene`, painted."""
    drawn = scene(seed, size)
    masks = []
    for box in drawn.boxes:
        left, top, right, bottom = map(int, box.corners)
        mask = mask_of(box.label, np.ones((bottom - top, right - left), np.bool_), size, (left, top))
        assert mask is not None
        masks.append(mask)
    return InstanceExample(drawn.item, tuple(masks))


@pytest.fixture(scope="module")
def segmenter() -> Family:
    return family(default_family(TaskKind.INSTANCE_SEGMENTATION))


@pytest.fixture(scope="module")
def examples() -> Examples:
    return [painted(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def model(segmenter: Family, examples: Examples) -> Model:
    return segmenter.train(examples, SPACE, QUICK).model


def items(examples: Examples) -> list[Item]:
    return [example.item for example in examples]


def tables(outputs: list[Output]) -> list[tuple[FloatArray, ...]]:
    found = [output for output in outputs if isinstance(output, InstanceOutput)]
    assert len(found) == len(outputs)
    return [(one.probabilities, one.boxes, one.coefficients, one.basis.astype(np.float32)) for one in found]


def assert_same(first: list[Output], second: list[Output], tolerance: float = 0.0) -> None:
    for one, other in zip(tables(first), tables(second), strict=True):
        for array, again in zip(one, other, strict=True):
            np.testing.assert_allclose(array, again, atol=tolerance)


def test_outputs_are_of_their_images(model: Model) -> None:
    for size in ((64, 64), (200, 30), (31, 97), (1, 1)):
        (output,) = model.predict([Item(np.full((size[1], size[0], 3), 90, np.uint8))])
        assert isinstance(output, InstanceOutput)
        assert (output.width, output.height) == size
        count = len(output.boxes)
        assert (output.probabilities.shape, output.coefficients.shape) == ((count, 2), (count, len(output.basis)))
        left, top, right, bottom = output.frame
        assert 0 <= left < right <= output.basis.shape[2]
        assert 0 <= top < bottom <= output.basis.shape[1]
        decision = InstancePostprocess.uncalibrated(SPACE).decide(output, SPACE, minimum=0.0)
        assert all((mask.width, mask.height) == size for mask in decision.masks)


def test_saved_and_loaded_it_answers_identically(
    segmenter: Family, model: Model, examples: Examples, tmp_path: Path
) -> None:
    model.save(tmp_path / "artifact")
    loaded = segmenter.load(tmp_path / "artifact", SPACE)
    assert_same(loaded.predict(items(examples)), model.predict(items(examples)))
    assert loaded.nbytes == model.nbytes > 0
    with pytest.raises(CheckpointError, match="in this order"):
        segmenter.load(tmp_path / "artifact", LabelSpace(LABELS[::-1]))


def test_batch_equals_its_items(model: Model) -> None:
    mixed = items([painted(seed, size) for seed, size in enumerate([(64, 64), (120, 50), (64, 64)])])
    assert_same(model.predict(mixed), [one for item in mixed for one in model.predict([item])], tolerance=1e-3)
    assert model.predict([]) == []


def test_deterministic_and_the_shared_network_stays_as_it_was(
    segmenter: Family, examples: Examples, model: Model
) -> None:
    before = model.predict(items(examples))
    again = segmenter.train(examples, SPACE, QUICK).model
    assert_same(again.predict(items(examples)), before)
    assert_same(model.predict(items(examples)), before)


def test_out_of_fold_outputs_fit_a_postprocess(segmenter: Family, examples: Examples) -> None:
    trained = segmenter.train(examples, SPACE, QUICK)
    assert all(isinstance(output, InstanceOutput) for output in trained.out_of_fold)
    fitted = InstancePostprocess.fit(trained.out_of_fold, [example.masks for example in examples], SPACE)
    assert len(fitted.thresholds) == len(LABELS)
    assert "yolov8n-seg.pt" in trained.notes[0], "people are told what is missing"


def test_where_everything_is_trained_the_masks_are(segmenter: Family, examples: Examples) -> None:
    losses: list[float] = []
    told = Watch(report=lambda progress: losses.append(progress.loss or 0.0))
    recipe = Recipe(overrides={**TINY, "views": 1, "epochs": 12, "learning_rate": 3e-3, "mosaic": 0.0, "zoom": 1.0})
    trained = segmenter.train(examples, SPACE, recipe, watch=told)
    assert trained.hyperparameters["trained"] == "last classes boxes neck backbone pictures masks"
    assert isinstance(trained.model, YoloModel)
    assert "masks" in trained.model.parts
    assert trained.loss < max(losses)


def test_masks_alone_are_learnt_where_boxes_are_right() -> None:
    """A network whose boxes and labels are frozen learns to mix masks from pictures that stay: its loss falls."""
    base = Network.of(upstream.build("yolov8n-seg", "segmentation"))
    network = base.with_labels(LABELS)
    seen = []
    for seed in range(2):
        drawn = painted(seed)
        objects = np.zeros((64, 64), np.uint16)
        boxes = np.array([mask.corners for mask in drawn.masks], np.float32)
        for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
            objects[top:bottom, left:right] = number
        assert isinstance(drawn.item.input, np.ndarray)
        seen.append(View(Picture(drawn.item.input, boxes, np.arange(2), objects), seed, seed, True))
    cache = Cache(base, seen, lambda: None)
    told: list[float] = []
    hyper = Hyperparameters(batch=2, learning_rate=5e-3)
    taught, _ = fit_parts(network, MASKS, cache, [0, 1], 12, hyper, 0, lambda _, loss: told.append(loss), loss_of)
    assert told[-1] < told[0]
    for part in ("backbone", "neck", "boxes", "classes", "pictures"):
        for name, tensor in taught.tensors((part,)).items():
            assert bool((tensor == network.tensors((part,))[name]).all()), name
    assert isinstance(loss_of(network, MASKS, cache, np.ones(2, np.float32)), MaskLoss)


def test_objects_move_with_their_boxes() -> None:
    """In whatever view, the pixels of an object are those within its box, and of no other."""
    random = np.random.default_rng(0)
    pictures = []
    for seed in range(4):
        drawn = painted(seed)
        boxes = np.array([mask.corners for mask in drawn.masks], np.float32)
        objects = np.zeros((64, 64), np.uint16)
        for number, (left, top, right, bottom) in enumerate(boxes.astype(int), 1):
            objects[top:bottom, left:right] = number
        assert isinstance(drawn.item.input, np.ndarray)
        pictures.append(Picture(drawn.item.input, boxes, np.arange(2), objects))
    for _ in range(20):
        made = view(pictures, 0, 96, Augmentation(mosaic=0.5), random)
        assert made.objects is not None
        assert made.objects.max() <= len(made.boxes)
        for number, (left, top, right, bottom) in enumerate(made.boxes, 1):
            rows, columns = np.nonzero(made.objects == number)
            assert abs(columns.min() - left) <= 2
            assert abs(columns.max() + 1 - right) <= 2
            assert abs(rows.min() - top) <= 2
            assert abs(rows.max() + 1 - bottom) <= 2


def test_masks_are_drawn_where_the_network_sees_them(model: Model) -> None:
    """What the basis says of a cell is drawn at the pixels of that cell, padding or not."""
    (output,) = model.predict([Item(np.full((30, 60, 3), 90, np.uint8))])
    assert isinstance(output, InstanceOutput)
    basis = np.full_like(output.basis[:1], -1)
    left, _, right, _ = output.frame
    basis[:, :, : round((left + right) / 2)] = 1
    half = replace(
        output, basis=basis, coefficients=np.ones((1, 1), np.float32), boxes=np.array([[0, 0, 60, 30]], np.float32),
        probabilities=np.array([[0.9, 0.0]], np.float32),
    )  # fmt: skip
    (found,) = InstancePostprocess.uncalibrated(SPACE).decide(half, SPACE).masks
    wanted = mask_of(LABELS[0], np.ones((30, 30), np.bool_), (60, 30))
    assert wanted is not None
    assert mask_overlaps([found], [wanted])[0, 0] > 0.9


def test_what_contradicts_the_task_is_refused(segmenter: Family, examples: Examples) -> None:
    with pytest.raises(TrainingImpossible, match="wanted an InstanceExample"):
        segmenter.train([DetectionExample(examples[0].item, ())], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="those of its image"):
        segmenter.train([replace(examples[0], masks=painted(0, (70, 64)).masks)], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="without any object"):
        segmenter.train([replace(examples[0], masks=())], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="at least one"):
        segmenter.train([], SPACE, QUICK)


def test_an_image_without_objects_and_a_single_one(segmenter: Family, examples: Examples) -> None:
    bare = replace(examples[0], masks=())
    alone = segmenter.train(examples[:1], SPACE, QUICK)
    assert alone.out_of_fold == (None,)
    mixed = segmenter.train([*examples[:2], bare], LabelSpace((*LABELS, "never drawn")), QUICK)
    assert tables(mixed.model.predict(items(examples)))[0][0].shape[1] == 3


def test_ends_when_cancelled_and_progress_grows(segmenter: Family, examples: Examples) -> None:
    with pytest.raises(Cancelled):
        segmenter.train(examples, SPACE, QUICK, watch=Watch(cancelled=lambda: True))
    told: list[Progress] = []
    segmenter.train(examples, SPACE, QUICK, watch=Watch(report=told.append))
    assert all(one.fraction <= other.fraction for one, other in pairwise(told))
    assert told[-1].fraction == 1


def test_a_detector_is_no_segmenter(tmp_path: Path) -> None:
    import torch

    torch.save({"model": upstream.build("yolov8n")}, tmp_path / "mine.pt")
    with pytest.raises(WeightsNotFound, match=r"no segmentation network.*yolov8n-seg\.pt"):
        bases.from_file(tmp_path, "mine.pt", "segmentation")


def test_published_weights_load_by_their_own_names(tmp_path: Path) -> None:
    import torch

    published = upstream.build("yolov8n-seg", "segmentation")
    torch.save({"model": published}, tmp_path / "mine.pt")
    base = bases.from_file(tmp_path, "mine.pt", "segmentation")
    assert base.network.has_masks
    assert base.digest == digest(Network.of(upstream.build("yolov8n-seg", "segmentation")))
    assert set(base.network.tensors(PARTS)) <= set(published.state_dict())
    with pytest.raises(WeightsNotFound, match="no detection network"):
        bases.from_file(tmp_path, "mine.pt")


def test_without_pretrained_weights_nothing_is_known_before_labels(segmenter: Family) -> None:
    assert segmenter.untrained(LabelSpace(("person", "car"))) is None
