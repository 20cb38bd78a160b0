"""`ParagraphLabels` on `Paragraphs`, the turns of a dialogue: named entities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from backend.converters.base import title
from backend.converters.labels import LabelsConverter
from backend.converters.spans import DialogueSpan, Place, join_paragraphs, write_paragraphs
from backend.errors import TaskUnusable
from backend.labelstudio.config import Control, shorten
from backend.labelstudio.payloads import kind_of
from model_zoo.types import Span


class ParagraphLabelsConverter(LabelsConverter):
    """The paragraphs are one text to a model, and no span that it finds goes from one into the next."""

    tag: ClassVar[str] = "ParagraphLabels"
    type: ClassVar[str] = "paragraphlabels"

    def input_of(self, control: Control, data: Mapping[str, Any]) -> str:
        turns = data.get(control.data_key)
        key = control.object_attributes.get("textkey", "text")
        texts = [turn.get(key) for turn in turns if isinstance(turn, Mapping)] if isinstance(turns, list) else []
        if not isinstance(turns, list) or len(texts) < len(turns) or not all(isinstance(text, str) for text in texts):
            raise TaskUnusable(
                f'{title(control)} wants a list of objects with a text each ("{shorten(key)}") under '
                f'"{shorten(control.data_key)}", and got {kind_of(turns)}. Import the task again with such a list.'
            )
        joined = join_paragraphs(str(text) for text in texts)
        if not joined.strip():
            raise TaskUnusable(
                f"{title(control)} got paragraphs without a text. Import the task again with some there."
            )
        return joined

    def _place(self, control: Control, text: str, place: Place) -> dict[str, Any]:
        return write_paragraphs(text, place)

    def _span(self, place: Place) -> Span:
        return DialogueSpan(*place, "")
