"""What people see of an object tag, as one text for a classifier; an address where the object is fetched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from backend.converters.base import text_of, title
from backend.converters.visible_text import visible_text
from backend.errors import TaskUnusable
from backend.labelstudio.config import Control, shorten
from backend.labelstudio.payloads import kind_of
from model_zoo.types import TaskKind

KINDS: Mapping[str, TaskKind] = {
    "HyperText": TaskKind.TEXT_CLASSIFICATION,
    "Image": TaskKind.IMAGE_CLASSIFICATION,
    "Paragraphs": TaskKind.TEXT_CLASSIFICATION,
    "Text": TaskKind.TEXT_CLASSIFICATION,
}
"""What classifying an object tag as a whole is."""

OF_REGIONS: Mapping[TaskKind, TaskKind] = {
    TaskKind.IMAGE_CLASSIFICATION: TaskKind.REGION_CLASSIFICATION,
    TaskKind.TEXT_CLASSIFICATION: TaskKind.SPAN_CLASSIFICATION,
}
"""What classifying its regions one by one is instead."""


def seen_of(control: Control, data: Mapping[str, Any]) -> str:
    """The text that people see, or its address where `control.fetched`. Raises `TaskUnusable`."""
    return text_of(control, data) if control.fetched else _SEEN.get(control.object_tag, text_of)(control, data)


def _page(control: Control, data: Mapping[str, Any]) -> str:
    text = visible_text(text_of(control, data))
    if not text:
        raise TaskUnusable(f"{title(control)} wants a page with text on it, and nothing in this one can be seen.")
    return text


def _dialogue(control: Control, data: Mapping[str, Any]) -> str:
    """A line for each paragraph, with who says it where that is known."""
    value = data.get(control.data_key)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise TaskUnusable(f"{_wanted(control)}, and got a text that is no JSON. Import the task again.") from None
    if not isinstance(value, list):
        raise TaskUnusable(f"{_wanted(control)}, and got {kind_of(value)}. Import the task again with a list there.")
    text = "\n".join(_lines(control, value))
    if not text:
        key = control.object_attributes.get("textkey", "text")
        raise TaskUnusable(f'{_wanted(control)}, and none of its {len(value)} has a "{shorten(key)}" that is a text.')
    return text


def _lines(control: Control, paragraphs: list[Any]) -> Iterator[str]:
    name_key = control.object_attributes.get("namekey", "author")
    text_key = control.object_attributes.get("textkey", "text")
    for paragraph in paragraphs:
        text = paragraph.get(text_key) if isinstance(paragraph, Mapping) else None
        if isinstance(text, str) and text.strip():
            name = paragraph.get(name_key)
            yield f"{name.strip()}: {text.strip()}" if isinstance(name, str) and name.strip() else text.strip()


def _wanted(control: Control) -> str:
    return f'{title(control)} wants a list of paragraphs under "{shorten(control.data_key)}"'


_SEEN: Mapping[str, Callable[[Control, Mapping[str, Any]], str]] = {"HyperText": _page, "Paragraphs": _dialogue}
