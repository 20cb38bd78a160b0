"""`RectangleLabels` on an image: object detection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from backend.converters.base import Region, Report, always_asked, log, region_id, text_of, title
from backend.converters.geometry import in_pixels, read_rectangle, write_rectangle
from backend.labelstudio.config import Control, shorten
from model_zoo.postprocess.base import Decision, DetectionDecision
from model_zoo.types import Box, Boxes, Item, LabelSpace, Target, TaskKind, some_of


class RectangleLabelsConverter:
    """Label Studio stores one region an object, and none for an image without objects.

    A rotated rectangle is learnt as the upright box around it.
    """

    tag: ClassVar[str] = "RectangleLabels"
    may_be_empty: ClassVar[bool] = True

    def kind(self, control: Control) -> TaskKind | None:
        return TaskKind.OBJECT_DETECTION if control.object_tag == "Image" else None

    def label_space(self, control: Control) -> LabelSpace:
        return LabelSpace(control.label_names, descriptions=tuple(label.descriptions for label in control.labels))

    def input_of(self, control: Control, data: Mapping[str, Any]) -> str:
        return text_of(control, data)

    def decode(self, control: Control, result: Sequence[Any], report: Report = log.info) -> Boxes | None:
        """Every box, in percent of the image (see `geometry`), in the order of the regions. None drawn means that
        there are no objects; None usable of those drawn, that the annotation does not answer.

        Labels that the config no longer has are left out and reported; so is what would be no box at all.
        """
        regions = [region for region in result if isinstance(region, Mapping) and control.owns(region.get("from_name"))]
        boxes = tuple(self._boxes(control, regions, report))
        drawn = any(region.get("from_name") == control.name for region in regions)
        return boxes if boxes or (not drawn and always_asked(control)) else None

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
        for index, (box, confidence) in enumerate(zip(decision.boxes, decision.scores, strict=True)):
            name = control.label_of(box.label)
            if name is not None:
                common = {
                    "id": region_id(key, control.name, index),
                    "to_name": control.to_name,
                    "original_width": decision.width,
                    "original_height": decision.height,
                    "image_rotation": 0,
                    "score": min(max(float(confidence), 0.0), 1.0),
                }
                value = write_rectangle(box, decision.width, decision.height)
                regions += [{**common, **region} for region in self._regions(control, value, name)]
        return regions

    def _regions(self, control: Control, value: dict[str, float], name: str) -> Iterator[Region]:
        """What is one object's own in its regions."""
        yield {"from_name": control.name, "type": "rectanglelabels", "value": {**value, "rectanglelabels": [name]}}

    def _named(self, control: Control, regions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Any]]:
        """The regions with a rectangle, each with its label names as they came."""
        for region in regions:
            value = region.get("value")
            yield region, value.get("rectanglelabels") if isinstance(value, Mapping) else None

    def _boxes(self, control: Control, regions: Sequence[Mapping[str, Any]], report: Report) -> Iterator[Box]:
        for region, names in self._named(control, regions):
            if not isinstance(names, list) or not names:
                report(f"{title(control)} got a region without a label; it is left out.")
                continue
            for name in names:
                if not isinstance(name, str) or not control.has_label(name):
                    gone = shorten(str(name))
                    report(f'{title(control)} no longer has the label "{gone}" of an annotation; it is left out.')
                    continue
                box = read_rectangle(region, name)
                if box is None:
                    report(f"{title(control)} got a region that is no rectangle within the image; it is left out.")
                else:
                    yield box
