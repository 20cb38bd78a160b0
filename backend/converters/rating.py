"""`Rating` of a whole object: classification into the steps of a scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from backend.converters.classification import ClassificationConverter
from backend.labelstudio.config import Control


class RatingConverter(ClassificationConverter):
    """`{"rating": stars}`. Label Studio writes no stars where a rating was taken back, which is no answer."""

    tag: ClassVar[str] = "Rating"
    key: ClassVar[str] = "rating"
    wanted: ClassVar[str] = "a whole number of stars"

    def read(self, control: Control, value: Any) -> list[str] | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            return None
        return [str(int(value))] if value else []

    def write(self, control: Control, names: Sequence[str]) -> int:
        return int(names[0])
