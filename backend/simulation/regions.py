"""Label Studio's regions, written from what files say in pixels and characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backend.converters.base import Region, region_id
from backend.converters.brush_rle import encode
from backend.converters.geometry import WHOLE, clip, scale, write_rectangle
from model_zoo.types import Box

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FROM, TO = "label", "object"
"""The names of control and object in configs that are made for a labelled set."""
NAMES = "instance"
VISIBILITY = "visibility"
VISIBILITIES = ("visible", "hidden")
"""COCO's 2 and 1: a point that is seen, and one whose place is known although something is before it."""
POINT_WIDTH = 0.75
"""Percent of the image's width; how large Label Studio draws a point."""

Size = tuple[int, int]
"""Width and height of an image in pixels."""


def choice(*labels: str) -> list[Region]:
    """An answer of `Choices`."""
    return [{**_names(), "id": _id(0), "type": "choices", "value": {"choices": list(labels)}}]


def boxes(found: Sequence[Box], size: Size) -> list[Region]:
    """Rectangles, without what lies outside of the image. Boxes are in pixels."""
    inside = (clip(box, *map(float, size)) for box in found)
    return [
        _on_image(index, size, "rectanglelabels", {**write_rectangle(box, *size), "rectanglelabels": [box.label]})
        for index, box in enumerate(inside)
        if box is not None
    ]


def spans(text: str, found: Sequence[tuple[int, int, str]]) -> list[Region]:
    """Labelled characters of `text`: start, end (behind the last), label."""
    return [
        {
            **_names(),
            "id": _id(index),
            "type": "labels",
            "value": {"start": start, "end": end, "text": text[start:end], "labels": [label]},
        }
        for index, (start, end, label) in enumerate(found)
    ]


def masks(found: Sequence[tuple[npt.NDArray[np.bool_], str]], size: Size) -> list[Region]:
    """Painted regions. Masks are of shape (height, width)."""
    return [
        _on_image(index, size, "brushlabels", {"format": "rle", "rle": encode(mask), "brushlabels": [label]})
        for index, (mask, label) in enumerate(found)
    ]


def keypoints(instances: Sequence[Instance], size: Size) -> list[Region]:
    """The points of each instance, with whether they are seen where that is known, and the box around them."""
    regions: list[Region] = []
    for number, (points, box) in enumerate(instances):
        parent = _id(number, NAMES)
        if box is not None:
            drawn = _on_image(0, size, "rectangle", write_rectangle(box, *size))
            regions.append({**drawn, "id": parent, "from_name": NAMES})
        for index, (label, x, y, seen) in enumerate(points):
            place = {"x": x / size[0] * WHOLE, "y": y / size[1] * WHOLE, "width": POINT_WIDTH}
            region = _on_image(index, size, "keypointlabels", {**place, "keypointlabels": [label]})
            region["id"] = _id(index, f"point {number}")
            if box is not None:
                region["parentID"] = parent
            regions.append(region)
            if seen is not None:
                value = {**place, "choices": [VISIBILITIES[0 if seen else 1]]}
                regions.append({**region, "from_name": VISIBILITY, "type": "choices", "value": value})
    return regions


Point = tuple[str, float, float, bool | None]
"""Label, x and y in pixels, and whether it can be seen; None where nobody said."""
Instance = tuple[Sequence[Point], Box | None]


def whole_box(box: Box, size: Size) -> Box:
    """A box in shares of the image, in pixels."""
    return scale(box, *map(float, size))


def _on_image(index: int, size: Size, type_: str, value: dict[str, Any]) -> Region:
    return {
        **_names(),
        "id": _id(index),
        "type": type_,
        "value": value,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
    }


def _names() -> dict[str, str]:
    return {"from_name": FROM, "to_name": TO}


def _id(index: int, what: str = FROM) -> str:
    """Within one annotation ids must differ; Label Studio asks no more of them."""
    return region_id("given", what, index)
