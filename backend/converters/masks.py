"""Control tags that mark the pixels of objects: what all of them have in common.

What is decoded are masks of the size that the region says its image has, so that annotations need no image to be
compared; `target` makes of them what families learn from, masks of the image's own size. Where a map of the image is
asked for, each label has one mask and none overlap; else each region is an object.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from backend.converters.base import Region, Report, log, region_id
from backend.converters.objects import ObjectsConverter, common
from backend.labelstudio.config import Control
from backend.labelstudio.controls import SEMANTIC
from model_zoo.masks import map_of, resized
from model_zoo.postprocess.base import Decision, InstanceDecision
from model_zoo.targets import some_of
from model_zoo.types import Item, Mask, Masks, Target, TaskKind

LARGEST = 16_384
MOST = 80_000_000
"""Sides and pixels of an image beyond which a region's word is not taken for it: it is other people's input."""


class MaskConverter(ObjectsConverter[Mask]):
    """Separate objects, or the areas of a map; each has one region."""

    def kind(self, control: Control) -> TaskKind | None:
        if control.object_tag != "Image":
            return None
        return TaskKind.SEMANTIC_SEGMENTATION if control.task == SEMANTIC else TaskKind.INSTANCE_SEGMENTATION

    def decode(self, control: Control, result: Sequence[Any], report: Report = log.info) -> Masks | None:
        """As of all objects; where a map is asked for, what is painted last lies above the rest."""
        masks = super().decode(control, result, report)
        if not masks or control.task != SEMANTIC:
            return masks
        return map_of(masks, (masks[0].width, masks[0].height)).masks

    @abstractmethod
    def write(self, mask: Mask) -> dict[str, Any] | None:
        """A region's `value`, without labels; None where the shape cannot show the mask."""

    def target(self, decoded: Target, item: Item) -> Masks:
        """The decoded masks in the size of the item's image. Raises the zoo's `UnreadableInput`."""
        from model_zoo.images import image_size

        size = image_size(item.input)
        scaled = [resized(mask, *size) for mask in some_of(Mask, decoded)]
        return tuple(mask for mask in scaled if mask is not None)

    def encode(self, control: Control, decision: Decision, *, key: str) -> list[Region]:
        """A region for each object or label, whose score is its confidence."""
        if not isinstance(decision, InstanceDecision):
            raise TypeError(f"Got a {type(decision).__name__}, wanted an InstanceDecision to draw objects from.")
        regions: list[Region] = []
        size = decision.width, decision.height
        for index, (mask, confidence) in enumerate(zip(decision.masks, decision.scores, strict=True)):
            name = control.label_of(mask.label)
            value = self.write(mask) if name is not None else None
            if value is not None:
                shared = common(control, region_id(key, control.name, index), size, confidence)
                type_ = self.tag.lower()
                regions.append({**shared, "from_name": control.name, "type": type_, "value": {**value, type_: [name]}})
        return regions


def value_of(region: Mapping[str, Any]) -> Mapping[str, Any]:
    """A region's `value`; empty where it has none."""
    value = region.get("value")
    return value if isinstance(value, Mapping) else {}


def size_of(region: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height of the region's image, as it says; None where that is no size of an image."""
    sides = [region.get(f"original_{side}") for side in ("width", "height")]
    if not all(isinstance(side, int) and not isinstance(side, bool) and 0 < side <= LARGEST for side in sides):
        return None
    width, height = (int(side) for side in sides if side is not None)
    return (width, height) if width * height <= MOST else None
