from __future__ import annotations

from pathlib import Path

import pytest

from model_zoo.errors import UnreadableInput
from model_zoo.texts import MAX_CHARACTERS, read_text


def test_texts_are_bounded() -> None:
    assert read_text("x" * 1_000_000) == "x" * MAX_CHARACTERS


@pytest.mark.parametrize("text", ["", "/etc/passwd", "https://example.org/a.txt", "🙂 \x00 \u202e"])
def test_texts_are_taken_as_they_are(text: str) -> None:
    assert read_text(text) == text


def test_half_a_surrogate_becomes_a_question_mark() -> None:
    assert read_text("a\ud800b") == "a?b"


def test_other_types_are_refused() -> None:
    with pytest.raises(UnreadableInput, match="wanted a text"):
        read_text(Path("a.txt"))
    with pytest.raises(UnreadableInput, match="Got NoneType"):
        read_text(None)
