"""Annotations to what the zoo learns from, and its outputs to regions: one file a control tag, one explicit table."""

from __future__ import annotations

from collections.abc import Mapping

from backend.converters.base import Converter, Region, Report
from backend.converters.choices import ChoicesConverter
from backend.converters.rating import RatingConverter
from backend.converters.rectangle import RectangleConverter
from backend.converters.rectangle_labels import RectangleLabelsConverter
from backend.converters.taxonomy import TaxonomyConverter
from backend.converters.text_area import TextAreaConverter

CONVERTERS: Mapping[str, Converter] = {
    converter.tag: converter
    for converter in (
        ChoicesConverter(),
        RatingConverter(),
        TaxonomyConverter(),
        RectangleLabelsConverter(),
        RectangleConverter(),
        TextAreaConverter(),
    )
}
"""The converter of each control tag that can be learnt; the same tags as in `labelstudio.config.TRAINABLE`."""

__all__ = ["CONVERTERS", "Converter", "Region", "Report"]
