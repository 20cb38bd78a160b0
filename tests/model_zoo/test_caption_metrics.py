"""Against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.caption_metrics import best_f1, cider, token_f1, tokens, words


def test_words_and_signs() -> None:
    assert tokens("It's a well-known cat, (50%)!") == ["It's", "a", "well-known", "cat", ",", "(", "50", "%", ")", "!"]
    assert words("A Cat, _x_ 3!") == ["a", "cat", "_x_", "3"]


@pytest.mark.parametrize(
    ("first", "second", "f1"),
    [
        ("A cat sat.", "a CAT sat", 1.0),
        ("a cat sat", "a dog sat", 2 / 3),
        ("a a a", "a", 0.5),
        ("a cat", "two dogs", 0.0),
        ("", "", 1.0),
        ("!", "?", 1.0),
        ("", "a", 0.0),
    ],
)
def test_token_f1(first: str, second: str, f1: float) -> None:
    assert token_f1(first, second) == token_f1(second, first) == pytest.approx(f1)


def test_several_references_are_several_ways_to_say_it() -> None:
    assert best_f1("a cat sat", ["a dog", "a cat sat down"]) == pytest.approx(6 / 7)
    assert best_f1("a cat", []) == 0.0


def test_cider_of_the_references_themselves_is_ten_and_of_others_nothing() -> None:
    references = [["a cat sat on it"], ["two dogs ran far away"]]
    assert cider([several[0] for several in references], references) == pytest.approx([10, 10])
    assert cider(["two dogs ran far away", "a cat sat on it"], references).tolist() == [0, 0]
    assert cider([], []).shape == (0,)
    assert cider(["", "x"], references).tolist() == [0, 0]


def test_cider_by_hand() -> None:
    """Of two words each, "cat" is in both images' references and so weighs nothing; there are no longer runs."""
    found = cider(["red cat", "red red cat"], [["red cat"], ["cat dog"]])
    assert found == pytest.approx([10 * np.mean([1, 1, 0, 0]), 0])


def test_words_that_all_have_and_words_said_twice_are_worth_nothing() -> None:
    references = [["a cat sat on it"], ["a dog ran on it"]]
    assert cider(["on a it", "on a it"], references).tolist() == [0, 0]
    once, twice = (float(cider([text, ""], references)[0]) for text in ("a cat", "a cat cat"))
    assert once > twice > 0
