"""`BrushLabels` on an image: painted objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from backend.converters.brush_rle import decode, encode
from backend.converters.masks import MaskConverter, size_of, value_of
from model_zoo.masks import mask_of, pixels
from model_zoo.types import Mask


class BrushLabelsConverter(MaskConverter):
    """Run lengths of the whole image; exact to the pixel in both directions."""

    tag: ClassVar[str] = "BrushLabels"
    shape: ClassVar[str] = "painted area"

    def read(self, region: Mapping[str, Any], label: str) -> Mask | None:
        value, size = value_of(region), size_of(region)
        if size is None or not isinstance(value.get("rle"), list):
            return None
        try:
            return mask_of(label, decode(value["rle"], *size), size)
        except ValueError:
            return None

    def write(self, mask: Mask) -> dict[str, Any]:
        return {"format": "rle", "rle": encode(pixels(mask))}
