"""`RectangleLabels` on an image: object detection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from backend.converters.base import Region, region_id
from backend.converters.geometry import in_pixels, read_turned, write_rectangle
from backend.converters.objects import ObjectsConverter, common
from backend.labelstudio.config import Control
from model_zoo.postprocess.base import Decision, DetectionDecision
from model_zoo.targets import some_of
from model_zoo.types import Box, Boxes, Item, Target, TaskKind


class RectangleLabelsConverter(ObjectsConverter[Box]):
    """Boxes are decoded in percent of the image (see `geometry`), turned ones as they stand."""

    tag: ClassVar[str] = "RectangleLabels"
    shape: ClassVar[str] = "rectangle"

    def kind(self, control: Control) -> TaskKind | None:
        return TaskKind.OBJECT_DETECTION if control.object_tag == "Image" else None

    def read(self, region: Mapping[str, Any], label: str) -> Box | None:
        return read_turned(region, label)

    def target(self, decoded: Target, item: Item) -> Boxes:
        """The decoded boxes in pixels of the item's image. Raises the zoo's `UnreadableInput`."""
        from model_zoo.images import image_size

        width, height = image_size(item.input)
        return tuple(in_pixels(box, width, height) for box in some_of(Box, decoded))

    def encode(self, control: Control, decision: Decision, *, key: str) -> list[Region]:
        """The regions of each box, whose score is its confidence."""
        regions: list[Region] = []
        if not isinstance(decision, DetectionDecision):
            raise TypeError(f"Got a {type(decision).__name__}, wanted a DetectionDecision to draw boxes from.")
        size = decision.width, decision.height
        for index, (box, confidence) in enumerate(zip(decision.boxes, decision.scores, strict=True)):
            name = control.label_of(box.label)
            if name is not None:
                shared = common(control, region_id(key, control.name, index), size, confidence)
                value = write_rectangle(box, *size)
                regions += [{**shared, **region} for region in self._regions(control, value, name)]
        return regions

    def _regions(self, control: Control, value: dict[str, float], name: str) -> Iterator[Region]:
        """What is one object's own in its regions."""
        yield {"from_name": control.name, "type": "rectanglelabels", "value": {**value, "rectanglelabels": [name]}}
