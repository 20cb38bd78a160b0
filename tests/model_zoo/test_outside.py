"""Families from elsewhere; `test_contract.py` runs the README's through the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_zoo.base import Family
from model_zoo.errors import UnknownFamily
from model_zoo.outside import outside_families, outside_family
from model_zoo.registry import describe, family

HALF = """
from model_zoo.base import Family
from model_zoo.types import TaskKind
from model_zoo.text_classification.minilm_linear import MiniLMLinear
class Half(Family):
    name = "text_classification/half.v1"
class Misnamed(MiniLMLinear):
    name = "image_classification/misnamed.v1"
raised = None
"""


def test_the_readme_s_family_is_a_card_and_a_model(readme_family: type[Family]) -> None:
    card = describe(outside=[readme_family])[-1]
    assert (card.name, card.found, card.size) == ("text_classification/letters_linear.v1", "none needed", 0)
    assert type(family(card.name, outside=[readme_family])) is readme_family
    with pytest.raises(UnknownFamily, match=r"letters_linear\.v1; or a dotted path"):
        family("text_classification/none.v1", outside=[readme_family])


def test_what_is_no_family_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_a_family.py").write_text(HALF)
    (tmp_path / "broken_family.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    for path, said in {
        "nowhere.at.All": "cannot be imported",
        "half_a_family.Missing": "cannot be imported",
        "broken_family.Any": "ZeroDivisionError: division by zero",
        "half_a_family.raised": "is no family",
        "half_a_family.Half": "lacks encoder, load, train, task, licence, weights",
        "half_a_family.Misnamed": 'wanted "text_classification/<architecture>',
    }.items():
        with pytest.raises(UnknownFamily, match=said):
            outside_family(path)


def test_one_that_cannot_be_had_is_left_out(readme_family: type[Family], caplog: pytest.LogCaptureFixture) -> None:
    assert outside_families(["nowhere.at.All", "my_families.LettersLinear"]) == (readme_family,)
    assert "nowhere.at.All cannot be imported" in caplog.text
