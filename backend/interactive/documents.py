"""Documents whose spans are marked: their text, and where spans are in it as Label Studio says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.converters import CONVERTERS, regions_of
from backend.converters.base import Region
from backend.converters.hypertext import page_of
from backend.errors import TaskUnusable
from backend.interactive.spans import Place
from backend.labelstudio.config import Control
from model_zoo.postprocess.base import EntityDecision
from model_zoo.targets import some_of
from model_zoo.types import Item, Span


@dataclass(frozen=True)
class Document:
    """`text` of one task for `control`, whose converter counts in it. `data` are the task's."""

    control: Control
    text: str
    data: Mapping[str, Any]

    @property
    def breaks(self) -> Sequence[int]:
        """Where one text node of a page ends and another begins: words on both sides may be apart on the page."""
        return page_of(self.control, self.data).starts if self.control.object_tag == "HyperText" else ()

    def place_of(self, region: Region) -> Place | None:
        """Where a region of any control on the same object is; None where it is nowhere in the text."""
        value = region.get("value")
        if region.get("to_name") != self.control.to_name or not isinstance(value, Mapping):
            return None
        # Wherever it comes from, it is read as if it were this control's.
        own = {"from_name": self.control.name, "value": {**value, self._key: [self._label]}}
        converter = CONVERTERS[self.control.tag]
        decoded = converter.decode(self.control, [own], _ignored)
        spans = some_of(Span, converter.target(decoded, Item(self.text))) if decoded is not None else ()
        return next(((span.start, span.end) for span in spans), None)

    def values(self, places: Sequence[Place]) -> list[dict[str, Any]]:
        """The `value` of a region for each place, without labels."""
        spans = tuple(Span(start, end, self._label) for start, end in places)
        certain = np.ones(1, np.float32)
        decision = EntityDecision(self.text, spans, (1.0,) * len(spans), certain, 0.0)
        regions = regions_of(self.control, decision, self.data, key="")
        return [{name: part for name, part in region["value"].items() if name != self._key} for region in regions]

    @property
    def _key(self) -> str:
        return self.control.tag.lower()

    @property
    def _label(self) -> str:
        return self.control.label_names[0]


def document_of(control: Control, task: Mapping[str, Any], text: object) -> Document:
    """Raises `TaskUnusable` where what was read is no text."""
    if not isinstance(text, str):
        raise TaskUnusable(f"Got {type(text).__name__}, wanted a text to look for spans in.")
    data = task.get("data")
    return Document(control, text, data if isinstance(data, Mapping) else {})


def _ignored(sentence: str) -> None:
    """Regions that cannot be read are no news here."""
