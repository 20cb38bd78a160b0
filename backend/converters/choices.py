"""`Choices` on a whole object: single or multiple classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from backend.converters.classification import ClassificationConverter
from backend.labelstudio.config import Control


class ChoicesConverter(ClassificationConverter):
    """`{"choices": [names]}`"""

    tag: ClassVar[str] = "Choices"
    key: ClassVar[str] = "choices"
    wanted: ClassVar[str] = "a list of label names"

    def read(self, control: Control, value: Any) -> list[str] | None:
        names = [value] if isinstance(value, str) else value
        return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None

    def write(self, control: Control, names: Sequence[str]) -> list[str]:
        return list(names)
