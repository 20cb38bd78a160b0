"""What every family of keypoints promises. Without pretrained weights, so that it can be checked anywhere: the frozen
network is a random one, and scenes are simple enough for that."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from model_zoo.base import Family, Model, Progress, Watch
from model_zoo.errors import Cancelled, CheckpointError, TrainingImpossible
from model_zoo.keypoints import family as family_module
from model_zoo.keypoints.family import YoloPoseFamily
from model_zoo.keypoints.model import PoseModel
from model_zoo.object_detection.bases import Base
from model_zoo.poses import COCO_SIGMAS
from model_zoo.postprocess import KeypointPostprocess
from model_zoo.recipes import Recipe
from model_zoo.types import ClassificationExample, Item, Keypoint, LabelSpace, Output, Pose, PoseExample, PoseOutput
from tests.model_zoo.keypoints.conftest import POINTS, SPACE, scene

TINY = {"image_size": 64, "views": 2, "epochs": 4, "batch": 4, "width": 16}
QUICK = Recipe(overrides=TINY)
UNVARIED = {
    **TINY, "image_size": 128, "views": 1, "epochs": 80, "folds": 0, "learning_rate": 1e-2, "width": 32,
    "zoom": 1.0, "shift": 0.0, "colour": 0.0, "turn": 0.0, "mirror": False,
}  # fmt: skip
"""The images as they are."""

Examples = list[PoseExample]


def items(examples: Examples) -> list[Item]:
    return [example.item for example in examples]


def poses(outputs: list[Output]) -> list[PoseOutput]:
    found = [output for output in outputs if isinstance(output, PoseOutput)]
    assert len(found) == len(outputs)
    return found


def assert_same(first: list[Output], second: list[Output], tolerance: float = 0.0) -> None:
    for one, other in zip(poses(first), poses(second), strict=True):
        assert one.points.shape == other.points.shape
        for name in ("probabilities", "located", "seen"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=tolerance)
        for name in ("boxes", "points"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=tolerance * 100)


@pytest.fixture(scope="module")
def model(pointer: Family, scenes: Examples) -> Model:
    return pointer.train(scenes, SPACE, QUICK).model


def test_the_loss_falls_even_on_random_features(pointer: Family, scenes: Examples) -> None:
    """No more than that: without pretrained weights points are not found, which the note says."""
    losses: list[float] = []
    watch = Watch(report=lambda progress: losses.append(progress.loss or 0.0))
    trained = pointer.train(scenes, SPACE, Recipe(overrides=UNVARIED), watch=watch)
    assert trained.loss == losses[-1] < 0.5 * max(losses)
    assert trained.hyperparameters["points"] == "new"
    assert "random weights" in trained.notes[0]


def test_its_network_has_points_and_no_masks(pointer: Family) -> None:
    """Both are told by a branch of one name."""
    assert isinstance(pointer, YoloPoseFamily)
    network = pointer.base().network
    assert network.tensors(("points",))
    assert not network.has_masks
    assert not network.tensors(("masks", "pictures"))


def test_boxes_lie_in_their_image(model: Model) -> None:
    for size in ((64, 64), (200, 30), (31, 97), (1, 1)):
        (output,) = poses(model.predict([Item(np.full((size[1], size[0], 3), 90, np.uint8))]))
        assert (output.width, output.height) == size
        count = len(output.boxes)
        assert output.probabilities.shape == (count, 2)
        assert output.points.shape == (count, 3, 2)
        assert output.located.shape == output.seen.shape == (count, 3)
        assert {getattr(output, name).dtype for name in ("boxes", "probabilities", "points", "located", "seen")} == {
            np.dtype(np.float32)
        }
        assert (output.boxes >= 0).all()
        assert (output.boxes[:, [0, 2]] <= size[0]).all()
        assert (output.boxes[:, [1, 3]] <= size[1]).all()
        best = output.probabilities.max(axis=1)
        assert (best[:-1] >= best[1:]).all()


def test_saved_and_loaded_it_answers_identically(
    pointer: Family, model: Model, scenes: Examples, tmp_path: Path
) -> None:
    model.save(tmp_path / "artifact")
    loaded = pointer.load(tmp_path / "artifact", SPACE)
    assert_same(loaded.predict(items(scenes)), model.predict(items(scenes)))
    assert loaded.labels == SPACE
    assert loaded.family is type(pointer)
    assert loaded.nbytes == model.nbytes > 0
    assert sorted(path.suffix for path in (tmp_path / "artifact").iterdir()) == [".json", ".safetensors"]


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("digest", "0" * 64, "put those weights back"),
        ("width", 24, "does not fit"),
        ("side", "wide", "damaged"),
        ("points", [0], "damaged"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    pointer: Family, model: Model, tmp_path: Path, key: str, value: object, complaint: str
) -> None:
    model.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["settings"][key] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=complaint):
        pointer.load(tmp_path)


@pytest.mark.parametrize("other", [LabelSpace(POINTS[::-1], objects=SPACE.objects), LabelSpace(POINTS)])
def test_checkpoint_of_other_labels_is_refused(
    pointer: Family, model: Model, tmp_path: Path, other: LabelSpace
) -> None:
    model.save(tmp_path)
    with pytest.raises(CheckpointError, match="in this order"):
        pointer.load(tmp_path, other)


def test_batch_equals_its_items(model: Model) -> None:
    mixed = [scene(seed, size) for seed, size in enumerate([(64, 64), (120, 50), (64, 64), (50, 120), (128, 128)])]
    together = model.predict(items(mixed))
    apart = [output for item in items(mixed) for output in model.predict([item])]
    for one, other in zip(poses(together), poses(apart), strict=True):
        # Of two neighbours that are as likely, rounding decides which is the peak, or whether both are.
        for these, those in ((one, other), (other, one)):
            nearest = np.abs(these.probabilities.max(axis=1)[:, None] - those.probabilities.max(axis=1)).min(axis=1)
            assert nearest.max() <= 1e-4
        np.testing.assert_allclose(one.points[0], other.points[0], atol=1e-2)


def test_prepared_ahead_it_answers_the_same(model: Model, scenes: Examples) -> None:
    prepared = [model.prepare(item) for item in items(scenes)]
    assert all(item.input is None for item in prepared), "the decoded image is let go"
    assert_same(model.predict(prepared), model.predict(items(scenes)))
    assert model.prepare(prepared[0]) is prepared[0]


def test_empty_batch_is_legal(model: Model) -> None:
    assert model.predict([]) == []


def test_deterministic_under_a_seed(pointer: Family, scenes: Examples) -> None:
    first, second = (pointer.train(scenes, SPACE, QUICK, seed=7) for _ in range(2))
    assert_same(first.model.predict(items(scenes)), second.model.predict(items(scenes)))
    judged = [[one for one in trained.out_of_fold if one is not None] for trained in (first, second)]
    assert len(judged[0]) == len(scenes)
    assert_same(list(judged[0]), list(judged[1]))


def test_out_of_fold_outputs_are_in_pixels_and_fit_a_postprocess(pointer: Family) -> None:
    wide = [scene(seed, (200, 80)) for seed in range(3)]
    trained = pointer.train(wide, SPACE, QUICK)
    assert [(one.width, one.height) for one in trained.out_of_fold if isinstance(one, PoseOutput)] == [(200, 80)] * 3
    fitted = KeypointPostprocess.fit(trained.out_of_fold, [example.poses for example in wide], SPACE)
    assert len(fitted.objects.thresholds) == 2
    assert fitted.boxed
    assert not fitted.single


def test_points_without_boxes_and_images_without_objects(pointer: Family, scenes: Examples) -> None:
    bare = [PoseExample(one.item, tuple(Pose(pose.points) for pose in one.poses[:1])) for one in scenes[:2]]
    space = LabelSpace((*POINTS, "never placed"))
    trained = pointer.train([*bare, PoseExample(scenes[2].item, ())], space, QUICK)
    (output, *_) = poses(trained.model.predict(items(scenes)))
    assert output.probabilities.shape[1] == 1
    assert output.points.shape[1] == 4
    assert pointer.train(scenes[:1], SPACE, QUICK).out_of_fold == (None,)


def test_nothing_to_learn_from(pointer: Family, scenes: Examples) -> None:
    with pytest.raises(TrainingImpossible, match="at least one"):
        pointer.train([], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="without any point"):
        pointer.train([replace(scenes[0], poses=())], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="no label"):
        pointer.train([replace(scenes[0], poses=())], LabelSpace(()), QUICK)


def test_examples_that_contradict_the_task_are_refused(pointer: Family, scenes: Examples) -> None:
    strange = replace(scenes[0], poses=(Pose((Keypoint("unheard of", 1, 1),)),))
    with pytest.raises(TrainingImpossible, match="unheard of"):
        pointer.train([strange], SPACE, QUICK)
    with pytest.raises(TrainingImpossible, match="wanted a PoseExample"):
        pointer.train([ClassificationExample(scenes[0].item, frozenset())], SPACE, QUICK)


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"strength": 1.0}, "wanted one of: batch"),
        ({"points": "all"}, "wanted one of: auto"),
        ({"points": "known"}, "those of a person"),
        ({"epochs": "many"}, "of type int"),
    ],
)
def test_senseless_hyperparameters_are_refused(
    pointer: Family, scenes: Examples, overrides: dict[str, float | int | str | bool], complaint: str
) -> None:
    with pytest.raises(TrainingImpossible, match=complaint):
        pointer.train(scenes, SPACE, Recipe(overrides=overrides))


def test_training_ends_within_two_seconds_of_being_cancelled(pointer: Family, scenes: Examples) -> None:
    asked: list[float] = []

    def cancelled() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 20  # somewhere in the middle

    with pytest.raises(Cancelled):
        pointer.train(scenes, SPACE, Recipe(overrides={**TINY, "epochs": 500}), watch=Watch(cancelled=cancelled))
    assert max(later - earlier for earlier, later in pairwise(asked)) < 2


def test_progress_grows_to_the_end(pointer: Family, scenes: Examples) -> None:
    told: list[Progress] = []
    pointer.train(scenes, SPACE, QUICK, watch=Watch(report=told.append))
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 5


def test_without_pretrained_weights_nothing_is_known_before_labels(pointer: Family) -> None:
    assert pointer.untrained(LabelSpace(tuple(COCO_SIGMAS))) is None


def test_points_of_a_person_keep_the_head_that_knows_them(pointer: Family, scenes: Examples, tmp_path: Path) -> None:
    """A network at random knows nothing, but what lies behind is the same: the model answers, learns, and is stored."""
    names = LabelSpace(("Nose", "left-ear"), descriptions=((), ()), objects=("Person",))
    points = tuple(Keypoint(name, 20.0 + 9 * at, 30.0) for at, name in enumerate(names.names))
    people = [PoseExample(one.item, (Pose(points),)) for one in scenes[:3]]

    class Pretrained(type(pointer)):  # type: ignore[misc]  # of some family
        def base(self):  # type: ignore[no-untyped-def]
            return replace(super().base(), origin="a file")

    family = Pretrained(pointer.runtime)
    known = family.untrained(names)
    assert isinstance(known, PoseModel)
    assert known.meaning is not None
    assert known.meaning.points == (0, 3)
    assert poses(known.predict(items(scenes)))[0].points.shape[1:] == (2, 2)
    assert family.untrained(LabelSpace(("tail", "snout"))) is None
    assert family.untrained(LabelSpace(names.names, objects=("dog",))) is None
    trained = family.train(people, names, Recipe(overrides={"points": "known", "views": 1, "epochs": 2}))
    trained.model.save(tmp_path)
    assert_same(family.load(tmp_path, names).predict(items(scenes)), trained.model.predict(items(scenes)))
    assert trained.hyperparameters["points"] == "known"


@pytest.mark.parametrize(("pays", "trained"), [(-2.0, "whole"), (2.0, "head")])
def test_the_whole_network_is_trained_where_that_pays(
    pointer: Family, scenes: Examples, monkeypatch: pytest.MonkeyPatch, pays: float, trained: str
) -> None:
    """Of few images, and as if the network were a pretrained one."""
    monkeypatch.setattr(Base, "pretrained", property(lambda base: True))
    monkeypatch.setattr(family_module, "MANY", len(scenes))
    monkeypatch.setattr(family_module, "ENOUGH", 2.0)
    monkeypatch.setattr(family_module, "PAYS", pays)
    learnt = pointer.train(scenes, SPACE, QUICK)
    assert learnt.hyperparameters["train"] == trained
    assert learnt.hyperparameters["name"] == ("fine_tune" if trained == "whole" else "micro")
    few = pointer.train(scenes[:3], SPACE, QUICK)
    assert few.hyperparameters["train"] == "head"
