"""`Taxonomy` and `Rating`: classifications that are written as paths and as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.converters import CONVERTERS
from backend.labelstudio.config import Control, LabellingConfig, parse_config
from backend.labelstudio.controls import CLASSIFIED
from model_zoo.postprocess import ClassificationDecision
from model_zoo.types import TaskKind

Tree = dict[str, Any]
TAXONOMY, RATING = CONVERTERS["Taxonomy"], CONVERTERS["Rating"]
LIFE: Tree = {"Archaea": {}, "Eukarya": {"Human": {}, "Plant": {"Moss": {}}}}


def written(tree: Tree) -> str:
    return "".join(f"<Choice value={quoteattr(name)}>{written(below)}</Choice>" for name, below in tree.items())


def taxonomy(inside: str, attributes: str = "", tag: str = "Text") -> LabellingConfig:
    return parse_config(
        f'<View><{tag} name="object" value="$input"/>'
        f'<Taxonomy name="kind" toName="object" {attributes}>{inside}</Taxonomy></View>'
    )


def rating(attributes: str = "", tag: str = "Image") -> LabellingConfig:
    return parse_config(
        f'<View><{tag} name="object" value="$input"/><Rating name="stars" toName="object" {attributes}/></View>'
    )


def only(config: LabellingConfig) -> Control:
    (control,) = config.controls
    return control


def decision(*labels: tuple[str, float]) -> ClassificationDecision:
    return ClassificationDecision(labels, np.array([score for _, score in labels], np.float32), 0.5)


def region(control: Control, value: Any, **changes: Any) -> dict[str, Any]:
    kind = control.tag.lower()
    base = {"id": "x", "from_name": control.name, "to_name": "object", "type": kind, "value": {kind: value}}
    return {**base, **changes}


def decoded(control: Control, *result: Any) -> tuple[Any, list[str]]:
    reports: list[str] = []
    return CONVERTERS[control.tag].decode(control, list(result), reports.append), reports


class TestTaxonomy:
    @pytest.mark.parametrize("tag", sorted(CLASSIFIED))
    def test_is_a_classification_of_every_object(self, tag: str) -> None:
        image = TaskKind.IMAGE_CLASSIFICATION
        wanted = image if tag == "Image" else TaskKind.TEXT_CLASSIFICATION
        assert TAXONOMY.kind(only(taxonomy(written(LIFE), tag=tag))) is wanted

    def test_every_node_is_a_label_called_by_its_path(self) -> None:
        space = TAXONOMY.label_space(only(taxonomy(written(LIFE))))
        below = ("Eukarya / Human", "Eukarya / Plant", "Eukarya / Plant / Moss")
        assert space.names == ("Archaea", "Eukarya", *below)
        assert space.multiple
        assert space.descriptions[4] == ("Moss", "Eukarya / Plant / Moss")

    def test_leaves_only(self) -> None:
        names = only(taxonomy(written(LIFE), 'leafsOnly="true"')).label_names
        assert names == ("Archaea", "Eukarya / Human", "Eukarya / Plant / Moss")

    def test_a_separator_of_one_s_own(self) -> None:
        names = only(taxonomy(written(LIFE), 'pathSeparator=" > "')).label_names
        assert names[-1] == "Eukarya > Plant > Moss"

    def test_the_alias_is_stored_and_the_value_read(self) -> None:
        config = taxonomy('<Choice value="Animals" alias="a"><Choice value="Cat" alias="c" hint="a pet"/></Choice>')
        cat = only(config).labels[1]
        assert (cat.name, cat.value, cat.path) == ("a / c", "Animals / Cat", ("a", "c"))
        assert cat.descriptions == ("Cat", "Animals / Cat", "a / c", "a pet")
        (found,) = TAXONOMY.encode(only(config), decision(("a / c", 0.5)), key="1:v1")
        assert found["value"] == {"taxonomy": [["a", "c"]]}
        assert config.validate({"score": 0.5, "result": [found]}) == []

    def test_paths_that_look_alike_stay_apart(self) -> None:
        control = only(taxonomy(written({"A": {"B": {}}, "A / B": {}})))
        assert control.label_names == ("A", "A / B", '["A / B"]')
        assert decoded(control, region(control, [["A / B"]])) == (frozenset(['["A / B"]']), [])
        assert decoded(control, region(control, [["A", "B"]])) == (frozenset(["A / B"]), [])

    def test_one_choice_where_one_is_all_there_may_be(self) -> None:
        control = only(taxonomy(written(LIFE), 'maxUsages="1"'))
        assert not TAXONOMY.label_space(control).multiple
        assert decoded(control) == (None, [])

    def test_no_more_choices_than_there_may_be(self) -> None:
        control = only(taxonomy(written(LIFE), 'maxUsages="2"'))
        assert control.multiple
        shown = decision(("Eukarya", 0.9), ("Archaea", 0.8), ("Eukarya / Human", 0.7))
        (found,) = TAXONOMY.encode(control, shown, key="1:v1")
        assert (found["value"], found["score"]) == ({"taxonomy": [["Archaea"], ["Eukarya"]]}, 0.8)

    def test_a_node_that_left_the_config(self) -> None:
        control = only(taxonomy(written(LIFE)))
        chosen, reports = decoded(control, region(control, [["Eukarya", "Dragon"], ["Archaea"]]))
        assert chosen == frozenset({"Archaea"})
        assert "Dragon" in reports[0]

    @pytest.mark.parametrize("bad", [None, "Archaea", ["Archaea"], [[]], [[1]], [{"a": 1}], 3])
    def test_what_is_no_list_of_paths_is_left_out(self, bad: Any) -> None:
        control = only(taxonomy(written(LIFE)))
        chosen, reports = decoded(control, region(control, bad))
        assert chosen is None
        assert reports

    def test_what_cannot_be_learnt_is_said(self) -> None:
        good = '<View><Text name="object" value="$t"/><Rating name="good" toName="object"/>{}</View>'
        for attributes, sentence in {
            'apiUrl="https://example.org/tree.json"': "its labels come from each task's data",
            'labeling="true"': "it labels spans of text (labeling)",
            'perRegion="true"': "(perRegion)",
        }.items():
            xml = good.format(f'<Taxonomy name="kind" toName="object" {attributes}>{written(LIFE)}</Taxonomy>')
            (said,) = parse_config(xml).skipped
            assert sentence in said


class TestRating:
    def test_its_labels_are_its_steps(self) -> None:
        space = RATING.label_space(only(rating()))
        assert (space.names, space.multiple, space.ordered) == (("1", "2", "3", "4", "5"), False, True)
        assert only(rating('maxRating="10"')).label_names[-1] == "10"

    @pytest.mark.parametrize("bad", ["0", "many", "-3", "2.5", "101", "99999"])
    def test_a_scale_that_is_none_is_said(self, bad: str) -> None:
        xml = '<View><Text name="t" value="$t"/>{}<Choices name="c" toName="t"><Choice value="A"/></Choices></View>'
        (said,) = parse_config(xml.format(f'<Rating name="r" toName="t" maxRating="{bad}"/>')).skipped
        assert f'maxRating is "{bad}", wanted a whole number' in said

    @pytest.mark.parametrize(("value", "step"), [(3, "3"), (5.0, "5")])
    def test_stars(self, value: float, step: str) -> None:
        control = only(rating())
        assert decoded(control, region(control, value)) == (frozenset([step]), [])

    def test_a_rating_that_was_taken_back_is_no_answer(self) -> None:
        control = only(rating())
        assert decoded(control, region(control, 0)) == (None, [])
        assert decoded(control) == (None, [])

    @pytest.mark.parametrize("bad", [None, "3", 2.5, True, [3], 6, -1, float("nan"), float("inf")])
    def test_what_is_no_step_is_left_out(self, bad: Any) -> None:
        control = only(rating())
        chosen, reports = decoded(control, region(control, bad))
        assert chosen is None
        assert len(reports) == 1


WRITABLE = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff$")
NAMES = st.text(WRITABLE, min_size=1, max_size=8).filter(lambda name: bool(name.strip()))
TREES = st.recursive(
    st.just({}), lambda below: st.dictionaries(NAMES, below, min_size=1, max_size=3), max_leaves=8
).filter(bool)


@settings(max_examples=60, deadline=None)
@given(tree=TREES, data=st.data())
def test_any_choice_in_any_tree_survives_the_round_trip(tree: Tree, data: st.DataObject) -> None:
    leaves = data.draw(st.sampled_from(["", 'leafsOnly="true"']))
    config = taxonomy(written(tree), leaves)
    round_trip(config, data.draw(st.frozensets(st.sampled_from(only(config).label_names))))


@settings(max_examples=30, deadline=None)
@given(highest=st.integers(1, 100), data=st.data())
def test_any_rating_survives_the_round_trip(highest: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, highest))
    round_trip(rating(f'maxRating="{highest}"'), [str(step)])


def round_trip(config: LabellingConfig, labels: Sequence[str] | frozenset[str]) -> None:
    control = only(config)
    shown = decision(*((name, 0.5) for name in sorted(labels)))
    regions = CONVERTERS[control.tag].encode(control, shown, key="1:v1")
    assert config.validate({"score": 0.5, "result": regions}) == []
    assert CONVERTERS[control.tag].decode(control, regions) == frozenset(labels)
