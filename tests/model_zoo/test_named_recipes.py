"""Recipes of segmenters, keypoints and maps, asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from model_zoo.base import Watch
from model_zoo.errors import TrainingImpossible
from model_zoo.recipes import Recipe
from model_zoo.registry import family
from model_zoo.types import Example, LabelSpace
from tests.model_zoo import figures
from tests.model_zoo.semantic_segmentation import landscapes
from tests.model_zoo.test_contract import alike

SEGMENTER, POINTER, UNET = (
    "instance_segmentation/yolo_seg.v1", "keypoints/yolo_pose.v1", "semantic_segmentation/unet_lite0.v1",
)  # fmt: skip
SCENES: dict[str, tuple[Sequence[Example], tuple[str, ...], dict[str, Any]]] = {
    SEGMENTER: (figures.painted(), figures.SHADES, {**figures.UNVARIED, "epochs": 2}),
    POINTER: (figures.marked(), figures.CORNERS, {**figures.UNVARIED, "epochs": 2, "turn": 0.0, "width": 16}),
    UNET: (landscapes.examples(), landscapes.LABELS, {"image_size": 64, "views": 1, "folds": 2, "epochs": 2}),
}


@pytest.mark.parametrize(
    ("name", "recipe", "trained"),
    [
        (SEGMENTER, "few_shot", "last classes boxes"),
        (SEGMENTER, "fine_tune", "last classes boxes neck pictures masks"),
        (POINTER, "few_shot", "head"),
        (POINTER, "fine_tune", "whole"),
        (UNET, "few_shot", "decoder"),
        (UNET, "fine_tune", "whole"),
    ],
)
def test_a_recipe_trains_what_its_name_says(name: str, recipe: str, trained: str, tmp_path: Path) -> None:
    examples, labels, overrides = SCENES[name]
    chosen, space = family(name), LabelSpace(labels)
    made = chosen.train(examples, space, Recipe(recipe, overrides))
    assert made.hyperparameters["name"] == recipe
    what = str(made.hyperparameters.get("trained") or made.hyperparameters["train"])
    assert what.startswith(trained), what
    assert all(made.out_of_fold)
    items = [example.item for example in examples]
    made.model.save(tmp_path / "artifact")
    loaded = chosen.load(tmp_path / "artifact", space)
    alike(loaded.predict(items), made.model.predict(items))
    assert loaded.nbytes == made.model.nbytes > 0


@pytest.mark.parametrize("name", SCENES)
def test_other_names_are_refused_with_those_there_are(name: str) -> None:
    examples, labels, overrides = SCENES[name]
    with pytest.raises(
        TrainingImpossible, match="Got the recipe 'enormous', wanted one of: micro, few_shot, fine_tune"
    ):
        family(name).train(examples, LabelSpace(labels), Recipe("enormous", overrides))


@pytest.mark.parametrize("name", [POINTER, UNET])
def test_training_ends_when_the_loss_falls_no_more(name: str) -> None:
    """At a rate of nothing it never does."""
    examples, labels, overrides = SCENES[name]
    still = {**overrides, "learning_rate": 0.0, "folds": 0, "epochs": 200, "patience": 1}
    told: list[float] = []
    watch = Watch(report=lambda progress: told.append(progress.fraction))
    family(name).train(examples, LabelSpace(labels), Recipe("few_shot", still), watch=watch)
    assert told[-1] == 1.0
    assert told[-2] < 0.7
