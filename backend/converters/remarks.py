"""What is said of single regions (`perRegion`): Label Studio stores it in a region of the same id and shape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from backend.converters.bitmask_labels import BitmaskLabelsConverter
from backend.converters.brush_labels import BrushLabelsConverter
from backend.converters.ellipse_labels import EllipseLabelsConverter
from backend.converters.geometry import WHOLE, clip, is_number, read_rectangle, scale
from backend.converters.hypertext_labels import HyperTextLabelsConverter
from backend.converters.labels import LabelsConverter
from backend.converters.paragraph_labels import ParagraphLabelsConverter
from backend.converters.polygon_labels import PolygonLabelsConverter
from backend.converters.spans import in_text
from backend.labelstudio.config import Control
from model_zoo.masks import box_around
from model_zoo.types import Box, Item, Labels, Mask, Place, Remark, Remarks, Span

NEAR = 4.0
"""Percent of the image on each side of a point that are looked at: a point has no extent of its own."""


def remarks_of(
    control: Control, result: Sequence[Any], chosen: Callable[[Sequence[Any]], Labels | None]
) -> Remarks | None:
    """What is said of each region that `control` is about, in their order; those of which nothing is said are left out.
    None where nothing is said at all. `chosen` are the labels in regions of the control."""
    said: dict[Any, list[Any]] = {}
    for region in result:
        if isinstance(region, Mapping) and region.get("from_name") == control.name:
            said.setdefault(region.get("id"), []).append(region)
    found = []
    for region, place in places_of(control, result):
        labels = chosen(said.get(region.get("id"), []))
        if labels is not None:
            found.append(Remark(place, tuple(sorted(labels))))
    return tuple(found) or None


def places_of(control: Control, regions: Sequence[Any]) -> Iterator[tuple[Mapping[str, Any], Place]]:
    """The regions that `control` is about, with where they are. Those that cannot be read are left out."""
    wanted = {name.strip() for name in control.attributes.get("whenlabelvalue", "").split(",")} - {""}
    named: dict[Any, set[str]] = {}
    for region in regions:
        if isinstance(region, Mapping):
            named.setdefault(region.get("id"), set()).update(_labels(region))
    for region in regions:
        if not isinstance(region, Mapping):
            continue
        parent = next((other for other in control.about if region.get("from_name") == other.name), None)
        place = _place(parent, region) if parent is not None else None
        if place is not None and (not wanted or wanted & named[region.get("id")]):
            yield region, place


def marker_of(control: Control) -> LabelsConverter | None:
    """What marks the spans that `control` is about; None where it is about none."""
    return next((_SPANS[other.tag] for other in control.about if other.tag in _SPANS), None)


def place_in(item: Item, place: Place) -> Place:
    """A decoded place in the item: in characters of its text, or in percent of the image as before."""
    return in_text(place, item.input) if isinstance(place, Span) and isinstance(item.input, str) else place


def remarks_in(item: Item, remarks: Remarks) -> Remarks:
    """Decoded remarks in the item, without those about spans that have nothing of its text."""
    placed = [replace(remark, place=place_in(item, remark.place)) for remark in remarks]
    return tuple(one for one in placed if not isinstance(one.place, Span) or one.place.start < one.place.end)


def _place(control: Control, region: Mapping[str, Any]) -> Place | None:
    spans = _SPANS.get(control.tag)
    return _BOXES[control.tag](region) if spans is None else spans.read(control, region)


def _labels(region: Mapping[str, Any]) -> list[str]:
    """The names in a region that marks something."""
    type_, value = str(region.get("type")), region.get("value")
    names = value.get(type_) if isinstance(value, Mapping) and type_.endswith("labels") else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _around_rectangle(region: Mapping[str, Any]) -> Box | None:
    return read_rectangle(region, "")


def _around_point(region: Mapping[str, Any]) -> Box | None:
    value = region.get("value")
    if not isinstance(value, Mapping) or not all(is_number(value.get(name)) for name in ("x", "y")):
        return None
    x, y = float(value["x"]), float(value["y"])
    return clip(Box(x - NEAR, y - NEAR, x + NEAR, y + NEAR, ""), WHOLE, WHOLE)


def _around_mask(read: Callable[[Mapping[str, Any], str], Mask | None]) -> Callable[[Mapping[str, Any]], Box | None]:
    def around(region: Mapping[str, Any]) -> Box | None:
        mask = read(region, "")
        return scale(box_around(mask), WHOLE / mask.width, WHOLE / mask.height) if mask is not None else None

    return around


_BOXES: Mapping[str, Callable[[Mapping[str, Any]], Box | None]] = {
    "RectangleLabels": _around_rectangle,
    "Rectangle": _around_rectangle,
    "KeyPointLabels": _around_point,
    "BrushLabels": _around_mask(BrushLabelsConverter().read),
    "PolygonLabels": _around_mask(PolygonLabelsConverter().read),
    "BitmaskLabels": _around_mask(BitmaskLabelsConverter().read),
    "EllipseLabels": _around_mask(EllipseLabelsConverter().read),
}
"""The box around a region, by the control tag that marks it."""
_SPANS: Mapping[str, LabelsConverter] = {
    converter.tag: converter
    for converter in (LabelsConverter(), HyperTextLabelsConverter(), ParagraphLabelsConverter())
}
"""What reads the spans that a control tag marks."""
