"""Annotations to what the zoo learns from, and its outputs to regions: one file a control tag, one explicit table."""

from __future__ import annotations

from collections.abc import Mapping

from backend.converters.base import Converter, Region, Report
from backend.converters.choices import ChoicesConverter
from backend.converters.keypoint_labels import KeyPointLabelsConverter
from backend.converters.rectangle import RectangleConverter
from backend.converters.rectangle_labels import RectangleLabelsConverter

CONVERTERS: Mapping[str, Converter] = {
    converter.tag: converter
    for converter in (
        ChoicesConverter(),
        RectangleLabelsConverter(),
        RectangleConverter(),
        KeyPointLabelsConverter(),
    )
}
"""The converter of each control tag that can be learnt; the same tags as in `labelstudio.config.TRAINABLE`."""

__all__ = ["CONVERTERS", "Converter", "Region", "Report"]
