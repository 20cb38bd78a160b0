"""Which family answers for a control: the config's word first, then the project's past, then the default."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.errors import InvalidConfig
from backend.labelstudio.config import Control, parse_config
from backend.serving.families import WEIGHTS_FILE, Families
from backend.store.manifest import ControlVersion
from model_zoo.base import Family
from model_zoo.errors import UnknownFamily
from model_zoo.registry import FAMILIES
from model_zoo.types import TaskKind

TEXT = "text_classification/minilm_linear.v1"
IMAGE = "image_classification/efficientnet_lite0_linear.v1"


def control(attributes: str = "", tag: str = "Text", asks: str = "Choices") -> Control:
    label = {"Choices": "Choice"}.get(asks, "Label")
    (found,) = parse_config(
        f'<View><{tag} name="object" value="$data"/><{asks} name="topic" toName="object" {attributes}>'
        f'<{label} value="A"/><{label} value="B"/></{asks}></View>'
    ).controls
    return found


@pytest.mark.parametrize(("tag", "name"), [("Text", TEXT), ("Image", IMAGE)])
def test_each_kind_of_object_has_a_default(tag: str, name: str) -> None:
    assert Families().of(control(tag=tag)).name == name


ASKED = {
    TaskKind.IMAGE_CLASSIFICATION: ("Image", "Choices"),
    TaskKind.OBJECT_DETECTION: ("Image", "RectangleLabels"),
    TaskKind.INSTANCE_SEGMENTATION: ("Image", "BrushLabels"),
    TaskKind.KEYPOINTS: ("Image", "KeyPointLabels"),
    TaskKind.TEXT_CLASSIFICATION: ("Text", "Choices"),
    TaskKind.NAMED_ENTITIES: ("Text", "Labels"),
    TaskKind.CAPTIONS: ("Image", "TextArea"),
    TaskKind.SEMANTIC_SEGMENTATION: ("Image", "BrushLabels"),
    TaskKind.REGION_CLASSIFICATION: ("Image", "Choices"),
    TaskKind.SPAN_CLASSIFICATION: ("Text", "Choices"),
}
"""An object tag and a control tag that pose each kind of task."""


@pytest.mark.parametrize("kind", FAMILIES, ids=[kind.name for kind in FAMILIES])
def test_every_family_can_be_chosen_by_name(kind: type[Family]) -> None:
    asked = control(f'prelabel_model="{kind.name}"', *ASKED[kind.task])
    if kind.task in (TaskKind.REGION_CLASSIFICATION, TaskKind.SPAN_CLASSIFICATION):
        marks = {"Image": "RectangleLabels", "Text": "Labels"}[asked.object_tag]
        asked = replace(asked, about=(control("", asked.object_tag, marks),))
    assert Families().of(asked).name == kind.name


def test_a_default_once_chosen_stays(tmp_path: Path) -> None:
    before = ControlVersion(TEXT, "0" * 64, ("A", "B"))
    assert Families(tmp_path).of(control(), before).name == TEXT
    with pytest.raises(InvalidConfig, match=r"solves image_classification, wanted a family for text_classification"):
        Families().of(control(), ControlVersion(IMAGE, "0" * 64, ("A", "B")))


@pytest.mark.parametrize(("name", "said"), [("nothing.v1", "wanted one of: "), (IMAGE, "wanted a family for text")])
def test_a_wrong_name_is_answered_with_the_names_there_are(name: str, said: str) -> None:
    with pytest.raises(InvalidConfig, match=rf'prelabel_model of Choices "topic": .*{said}'):
        Families().of(control(f'prelabel_model="{name}"'))


def test_families_of_one_weights_folder_share_their_encoder(tmp_path: Path) -> None:
    families = Families(tmp_path)
    assert families.of(control()).encoder() is families.behind(ControlVersion(TEXT, "0" * 64, ())).encoder()


def test_a_version_is_loaded_with_the_weights_it_was_trained_on() -> None:
    part = ControlVersion(TEXT, "0" * 64, (), recipe={WEIGHTS_FILE: "own.safetensors"})
    assert Families().behind(part).weights_file == "own.safetensors"
    with pytest.raises(UnknownFamily):
        Families().behind(ControlVersion("gone.v1", "0" * 64, ()))


def test_a_family_from_elsewhere_is_chosen_where_the_operator_lists_it() -> None:
    path = "model_zoo.text_classification.minilm_linear.MiniLMLinear"
    asks = control(f'prelabel_model="{path}"')
    with pytest.raises(InvalidConfig, match="listed in PRELABEL_FAMILIES"):
        Families().of(asks)
    with pytest.raises(InvalidConfig, match="Two families are called 'text_classification/minilm_linear"):
        Families(outside=(path,)).of(asks)


def test_a_family_from_elsewhere_that_cannot_be_had_costs_itself_alone() -> None:
    families = Families(outside=("no.such.Family", "pathlib.Path"))
    assert families.of(control()).name == TEXT
    for path, said in {"no.such.Family": "cannot be imported", "pathlib.Path": "is no family"}.items():
        with pytest.raises(InvalidConfig, match=said):
            families.of(control(f'prelabel_model="{path}"'))
