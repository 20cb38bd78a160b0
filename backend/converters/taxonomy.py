"""`Taxonomy` on a whole object: classification into a tree, each of whose nodes is a label of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from backend.converters.classification import ClassificationConverter
from backend.labelstudio.config import Control


class TaxonomyConverter(ClassificationConverter):
    """`{"taxonomy": [paths]}`, a path being the names from the root to the node that was chosen. Choosing a node says
    nothing of those above it, just as in the editor."""

    tag: ClassVar[str] = "Taxonomy"
    key: ClassVar[str] = "taxonomy"
    wanted: ClassVar[str] = "a list of paths"

    def read(self, control: Control, value: Any) -> list[str] | None:
        if not isinstance(value, list) or not all(_is_path(path) for path in value):
            return None
        # A path that is unknown must not be taken for another that is written alike.
        return [control.label_at(path) or json.dumps(path, ensure_ascii=False) for path in value]

    def write(self, control: Control, names: Sequence[str]) -> list[list[str]]:
        """In the order of the tree, as people read it."""
        return [list(label.path) for label in control.labels if label.name in names]


def _is_path(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(step, str) for step in value)
