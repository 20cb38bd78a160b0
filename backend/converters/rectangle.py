"""`Rectangle` with `Labels` on the same image: object detection, in two regions an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from backend.converters.base import Region
from backend.converters.rectangle_labels import RectangleLabelsConverter
from backend.labelstudio.config import Control


class RectangleConverter(RectangleLabelsConverter):
    """Label Studio stores the shape and its labels as two regions of the same id."""

    tag: ClassVar[str] = "Rectangle"

    def _regions(self, control: Control, value: dict[str, float], name: str) -> Iterator[Region]:
        yield {"from_name": control.name, "type": "rectangle", "value": value}
        yield {"from_name": control.labels_name, "type": "labels", "value": {**value, "labels": [name]}}

    def _named(self, control: Control, regions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Any]]:
        """`Labels` may name other shapes of the config, too: only those with a rectangle's id count."""
        names = {
            region.get("id"): region["value"].get("labels")
            for region in regions
            if region.get("from_name") == control.labels_name and isinstance(region.get("value"), Mapping)
        }
        for region in regions:
            if region.get("from_name") == control.name:
                yield region, names.get(region.get("id"))
