"""What every family of detection promises. Without pretrained weights, so that it can be checked anywhere: networks
begin at random, and learn scenes that are simple enough for that."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from model_zoo.base import Family, Model, Progress, Watch
from model_zoo.detection_metrics import detection_metrics
from model_zoo.errors import Cancelled, CheckpointError, TrainingImpossible
from model_zoo.object_detection.family import ORIENTED
from model_zoo.object_detection.model import YoloModel
from model_zoo.object_detection.trust import GRID
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.recipes import Recipe
from model_zoo.types import (
    Box,
    ClassificationExample,
    DetectionExample,
    DetectionOutput,
    FloatArray,
    Item,
    LabelSpace,
    Output,
)
from tests.model_zoo.object_detection.conftest import LABELS, scene

SPACE = LabelSpace(LABELS)
TINY = {"image_size": 64, "views": 2, "epochs": 2, "batch": 4}
QUICK = Recipe(overrides=TINY)
UNVARIED = {
    **TINY, "image_size": 128, "views": 1, "epochs": 25, "learning_rate": 3e-3,
    "mosaic": 0.0, "zoom": 1.0, "shift": 0.0, "colour": 0.0, "mirror": False,
}  # fmt: skip
"""The images as they are: what a network learns of them in 25 steps, it finds in them."""

Examples = list[DetectionExample]


def items(examples: Examples) -> list[Item]:
    return [example.item for example in examples]


def tables(outputs: list[Output]) -> list[tuple[FloatArray, FloatArray]]:
    """All of each output's candidates."""
    found = [output for output in outputs if isinstance(output, DetectionOutput)]
    assert len(found) == len(outputs)
    return [(output.boxes, output.probabilities) for output in found]


def assert_same(first: list[Output], second: list[Output], tolerance: float = 0.0) -> None:
    for (boxes, probabilities), (other, others) in zip(tables(first), tables(second), strict=True):
        assert boxes.shape == other.shape
        np.testing.assert_allclose(probabilities, others, atol=tolerance)
        np.testing.assert_allclose(boxes, other, atol=tolerance * 100)


@pytest.fixture(scope="module")
def model(detector: Family, scenes: Examples) -> Model:
    return detector.train(scenes, SPACE, QUICK).model


def test_learns_its_images_from_nothing(detector: Family, scenes: Examples) -> None:
    losses: list[float] = []
    watch = Watch(report=lambda progress: losses.append(progress.loss or 0.0))
    trained = detector.train(scenes, SPACE, Recipe(overrides=UNVARIED), watch=watch)
    # The loss of boxes begins when the first of them overlaps an object.
    assert trained.loss == losses[-1] < 0.6 * max(losses)
    outputs = [output for output in trained.model.predict(items(scenes)) if isinstance(output, DetectionOutput)]
    truths = [example.boxes for example in scenes]
    assert detection_metrics(outputs, truths, DetectionPostprocess.uncalibrated(SPACE), SPACE).map50 > 0.3
    assert trained.hyperparameters["epochs"] == UNVARIED["epochs"]
    every = str(trained.hyperparameters["trained"]).removesuffix(" angles")
    assert every == "last classes boxes neck backbone", "nothing pretrained to keep"


def test_boxes_lie_in_their_image(model: Model) -> None:
    for size in ((64, 64), (200, 30), (31, 97), (1, 1)):
        (output,) = model.predict([Item(np.full((size[1], size[0], 3), 90, np.uint8))])
        assert isinstance(output, DetectionOutput)
        assert (output.width, output.height) == size
        assert output.probabilities.shape == (len(output.boxes), len(LABELS))
        assert output.boxes.dtype == output.probabilities.dtype == np.float32
        assert (output.boxes >= 0).all()
        assert (output.boxes[:, [0, 2]] <= size[0]).all()
        assert (output.boxes[:, [1, 3]] <= size[1]).all()
        assert (output.probabilities.max(axis=1)[:-1] >= output.probabilities.max(axis=1)[1:]).all()


def test_saved_and_loaded_it_answers_identically(
    detector: Family, model: Model, scenes: Examples, tmp_path: Path
) -> None:
    model.save(tmp_path / "artifact")
    loaded = detector.load(tmp_path / "artifact", SPACE)
    assert_same(loaded.predict(items(scenes)), model.predict(items(scenes)))
    assert loaded.labels == SPACE
    assert loaded.family is type(detector)
    assert loaded.nbytes == model.nbytes > 0
    assert sorted(path.suffix for path in (tmp_path / "artifact").iterdir()) == [".json", ".safetensors"]


def test_a_checkpoint_says_what_it_began_with(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())["settings"]
    assert isinstance(model, YoloModel)
    assert (settings["base"], settings["digest"]) == (model.base.name, model.base.digest)
    assert settings["side"] == 64


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("digest", "0" * 64, "put those weights back"),
        ("parts", ["classes", "everything"], "damaged"),
        ("parts", ["boxes"], "does not fit|damaged"),
        ("side", "wide", "damaged"),
        ("columns", [[0]], "damaged"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    detector: Family, model: Model, tmp_path: Path, key: str, value: object, complaint: str
) -> None:
    model.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["settings"][key] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=complaint):
        detector.load(tmp_path)


def test_checkpoint_of_other_labels_is_refused(detector: Family, model: Model, tmp_path: Path) -> None:
    model.save(tmp_path)
    with pytest.raises(CheckpointError, match="in this order"):
        detector.load(tmp_path, LabelSpace(LABELS[::-1]))


def test_batch_equals_its_items(model: Model) -> None:
    mixed = [scene(seed, size) for seed, size in enumerate([(64, 64), (120, 50), (64, 64), (50, 120), (128, 128)])]
    together = model.predict(items(mixed))
    assert_same(together, [output for item in items(mixed) for output in model.predict([item])], tolerance=1e-4)


def test_prepared_ahead_it_answers_the_same(model: Model, scenes: Examples) -> None:
    prepared = [model.prepare(item) for item in items(scenes)]
    assert all(item.input is None for item in prepared), "the decoded image is let go"
    assert_same(model.predict(prepared), model.predict(items(scenes)))
    assert model.prepare(prepared[0]) is prepared[0]


def test_empty_batch_is_legal(model: Model) -> None:
    assert model.predict([]) == []


def test_deterministic_under_a_seed(detector: Family, scenes: Examples) -> None:
    first, second = (detector.train(scenes, SPACE, QUICK, seed=7).model.predict(items(scenes)) for _ in range(2))
    assert_same(first, second)


def test_training_leaves_the_shared_network_as_it_was(detector: Family, model: Model, scenes: Examples) -> None:
    before = model.predict(items(scenes))
    detector.train(scenes, SPACE, QUICK, seed=3)
    assert_same(model.predict(items(scenes)), before)


def test_frozen_parts_are_not_saved(detector: Family, scenes: Examples, tmp_path: Path) -> None:
    recipe = Recipe(overrides={**TINY, "freeze": "boxes"})
    trained = detector.train(scenes, SPACE, recipe)
    assert isinstance(trained.model, YoloModel)
    # Boxes that are turned are measured along their sides: they and the angles are always trained.
    turned = detector.name == ORIENTED
    assert trained.model.parts == (("boxes", "classes", "angles") if turned else ("classes",))
    assert trained.hyperparameters["trained"] == "last classes" + " boxes angles" * turned
    assert trained.hyperparameters["name"] == "few_shot"
    assert [output is not None for output in trained.out_of_fold] == [True] * len(scenes)
    trained.model.save(tmp_path)
    assert_same(detector.load(tmp_path).predict(items(scenes)), trained.model.predict(items(scenes)))


def test_out_of_fold_outputs_are_in_pixels_of_their_images(detector: Family) -> None:
    wide = [scene(seed, (200, 80)) for seed in range(3)]
    trained = detector.train(wide, SPACE, Recipe(overrides={**TINY, "freeze": "classes"}))
    for output in trained.out_of_fold:
        assert output is not None
        assert isinstance(output, DetectionOutput)
        assert (output.width, output.height) == (200, 80)
        assert (output.boxes[:, 2] <= 200).all()
        assert (output.boxes[:, 3] <= 80).all()


def test_out_of_fold_outputs_fit_a_postprocess(detector: Family, scenes: Examples) -> None:
    trained = detector.train(scenes, SPACE, Recipe(overrides={**TINY, "freeze": "boxes"}))
    fitted = DetectionPostprocess.fit(trained.out_of_fold, [example.boxes for example in scenes], SPACE)
    assert len(fitted.thresholds) == len(LABELS)


def test_a_single_image_and_images_without_objects(detector: Family, scenes: Examples) -> None:
    alone = detector.train(scenes[:1], SPACE, QUICK)
    assert alone.out_of_fold == (None,)
    bare = [replace(scenes[0], boxes=()), replace(scenes[1], boxes=())]
    mixed = detector.train([*scenes[:2], *bare], LabelSpace((*LABELS, "never drawn")), QUICK)
    assert tables(mixed.model.predict(items(scenes)))[0][1].shape[1] == 3


def test_nothing_to_learn_from(detector: Family, scenes: Examples) -> None:
    with pytest.raises(TrainingImpossible, match="at least one"):
        detector.train([], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="without any object"):
        detector.train([replace(scenes[0], boxes=())], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="no label"):
        detector.train([replace(scenes[0], boxes=())], LabelSpace(()), QUICK)


def test_examples_that_contradict_the_task_are_refused(detector: Family, scenes: Examples) -> None:
    strange = replace(scenes[0], boxes=(Box(0, 0, 9, 9, "unheard of"),))
    with pytest.raises(TrainingImpossible, match="unheard of"):
        detector.train([strange], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="wanted a DetectionExample"):
        detector.train([ClassificationExample(scenes[0].item, frozenset(LABELS[:1]))], SPACE, QUICK)


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"strength": 1.0}, "wanted one of: batch"),
        ({"freeze": "all"}, "wanted one of: auto"),
        ({"epochs": "many"}, "of type int"),
        ({"batch": 0}, "at least 1"),
        ({"learning_rate": True}, "of type float"),
    ],
)
def test_senseless_hyperparameters_are_refused(
    detector: Family, scenes: Examples, overrides: dict[str, float | int | str | bool], complaint: str
) -> None:
    with pytest.raises(TrainingImpossible, match=complaint):
        detector.train(scenes, SPACE, Recipe(overrides=overrides))


def test_training_ends_within_two_seconds_of_being_cancelled(detector: Family, scenes: Examples) -> None:
    asked: list[float] = []

    def cancelled() -> bool:
        if len(asked) == 12:  # somewhere in the middle
            asked.append(time.monotonic())
        asked.append(time.monotonic())
        return len(asked) > 12

    with pytest.raises(Cancelled):
        detector.train(scenes, SPACE, Recipe(overrides={**TINY, "epochs": 500}), watch=Watch(cancelled=cancelled))
    assert max(later - earlier for earlier, later in pairwise(asked)) < 2


def test_it_is_asked_for_each_view_that_is_looked_at(detector: Family, scenes: Examples) -> None:
    asked: list[None] = []

    def cancelled() -> bool:
        asked.append(None)
        return False

    wishes = {**TINY, "views": 5, "epochs": 1, "folds": 2, "freeze": "backbone"}
    detector.train(scenes, SPACE, Recipe(overrides=wishes), watch=Watch(cancelled=cancelled))
    views = 5 * len(scenes)
    # Each is made, cached, and looked at again for the head and for the neck; plain ones once more for each share of
    # trust that is tried, and once for the evidence.
    assert len(asked) >= len(scenes) + 3 * views + (len(GRID) + 1) * len(scenes)


def test_progress_grows_to_the_end(detector: Family, scenes: Examples) -> None:
    told: list[Progress] = []
    detector.train(scenes, SPACE, Recipe(overrides={**TINY, "freeze": "boxes"}), watch=Watch(report=told.append))
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 5


def test_training_stops_early_where_patience_is_asked_for(detector: Family, scenes: Examples) -> None:
    recipe = Recipe(overrides={**TINY, "epochs": 400, "learning_rate": 1e-12, "head_rate": 1e-12, "patience": 1})
    asked: list[None] = []

    def cancelled() -> bool:
        asked.append(None)
        return False

    detector.train(scenes, SPACE, recipe, watch=Watch(cancelled=cancelled))
    assert 10 < len(asked) < 200, "it is asked after every step, of which there would be 400"


def test_without_pretrained_weights_nothing_is_known_before_labels(detector: Family) -> None:
    assert detector.untrained(LabelSpace(("person", "car"))) is None
