"""Annotations to what the zoo learns from, and its outputs to regions: one file a control tag, one explicit table."""

from __future__ import annotations

from collections.abc import Mapping

from backend.converters.base import Converter, Region, Report
from backend.converters.bitmask_labels import BitmaskLabelsConverter
from backend.converters.brush_labels import BrushLabelsConverter
from backend.converters.choices import ChoicesConverter
from backend.converters.ellipse_labels import EllipseLabelsConverter
from backend.converters.polygon_labels import PolygonLabelsConverter
from backend.converters.rectangle import RectangleConverter
from backend.converters.rectangle_labels import RectangleLabelsConverter

CONVERTERS: Mapping[str, Converter] = {
    converter.tag: converter
    for converter in (
        ChoicesConverter(),
        RectangleLabelsConverter(),
        RectangleConverter(),
        BrushLabelsConverter(),
        PolygonLabelsConverter(),
        BitmaskLabelsConverter(),
        EllipseLabelsConverter(),
    )
}
"""The converter of each control tag that can be learnt; the same tags as in `labelstudio.config.TRAINABLE`."""

__all__ = ["CONVERTERS", "Converter", "Region", "Report"]
