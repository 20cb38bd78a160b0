"""Whose wish for a training counts."""

from __future__ import annotations

from typing import Any

import pytest

from backend.errors import InvalidRequest
from backend.jobs.recipe import read_parameters, recipe_for
from backend.labelstudio.config import parse_config
from backend.labelstudio.controls import Control
from model_zoo.recipes import Recipe


def control(attributes: str = "") -> Control:
    xml = f'<RectangleLabels name="objects" toName="i" {attributes}><Label value="Car"/></RectangleLabels>'
    return parse_config(f'<View><Image name="i" value="$image"/>{xml}</View>').controls[0]


def test_without_wishes_the_family_chooses() -> None:
    assert recipe_for(control('model_score_threshold="0.4" prelabel_model="x/y.v1"'), {}) == Recipe()


def test_numbers_truth_values_and_words() -> None:
    wishes = (
        'prelabel_epochs="30" prelabel_lr="1e-3" prelabel_cos_lr="True" prelabel_optimizer="AdamW" prelabel_x="nan"'
    )
    expected = {"epochs": 30, "lr": 0.001, "cos_lr": True, "optimizer": "AdamW", "x": "nan"}
    assert recipe_for(control(wishes), {}).overrides == expected


def test_the_tag_counts_more_than_the_project_and_the_control_more_than_all_of_it() -> None:
    parameters = {"epochs": 1, "freeze": 1, "imgsz": 1, "objects": {"epochs": 2, "freeze": 2}, "other": {"epochs": 9}}
    assert recipe_for(control('prelabel_epochs="3"'), parameters) == Recipe(
        overrides={"epochs": 3, "freeze": 2, "imgsz": 1}
    )


@pytest.mark.parametrize(
    ("attributes", "parameters", "name"),
    [
        ('prelabel_recipe="few_shot"', {"recipe": "fine_tune"}, "few_shot"),
        ("", {"recipe": "fine_tune"}, "fine_tune"),
        ("", {"recipe": "fine_tune", "objects": {"recipe": "micro"}}, "micro"),
        ("", {"recipe": 3}, Recipe().name),
    ],
)
def test_the_recipe_s_name(attributes: str, parameters: dict[str, Any], name: str) -> None:
    recipe = recipe_for(control(attributes), parameters)
    assert (recipe.name, recipe.overrides) == (name, {})


@pytest.mark.parametrize("value", [{"epochs": 5}, '{"epochs": 5}'])
def test_extra_params_come_as_an_object_or_as_its_text(value: Any) -> None:
    assert read_parameters(value) == {"epochs": 5}


@pytest.mark.parametrize("value", [None, "", "  ", {}])
def test_no_extra_params(value: Any) -> None:
    assert read_parameters(value) == {}


@pytest.mark.parametrize("value", ["epochs=5", "[1]", [1], 5])
def test_other_extra_params_are_refused_with_an_example(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r'extra_params: got .*, wanted a.* object such as \{"epochs": 50\}'):
        read_parameters(value)
