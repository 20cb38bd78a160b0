"""Texts as encoders accept them."""

from __future__ import annotations

from model_zoo.errors import UnreadableInput
from model_zoo.types import Input

PASSAGE = "\x1e"
"""Stands between passages that belong to one item and yet do not run on, as the turns of a dialogue: the record
separator, which no tokenizer gives a meaning to."""
MAX_CHARACTERS = 8192
"""Encoders read far less; cutting first keeps a tokenizer from chewing through megabytes."""


def read_text(value: Input | None) -> str:
    """The text of one item: at most `MAX_CHARACTERS`, encodable as UTF-8. Raises `UnreadableInput` for another type."""
    if not isinstance(value, str):
        raise UnreadableInput(f"Got {type(value).__name__}, wanted a text; give the item a text as its input.")
    return value[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def two_passages(value: Input | None) -> tuple[str, str]:
    """What stands before the first `PASSAGE`, and behind it; a text without one is both. Raises `UnreadableInput`."""
    first, between, second = read_text(value).partition(PASSAGE)
    return first, second if between else first
