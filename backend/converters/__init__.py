"""Annotations to what the zoo learns from, and its outputs to regions: one file a control tag, one explicit table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.converters.base import Converter, Region, Report
from backend.converters.bitmask_labels import BitmaskLabelsConverter
from backend.converters.brush_labels import BrushLabelsConverter
from backend.converters.choices import ChoicesConverter
from backend.converters.classification import ClassificationConverter
from backend.converters.ellipse_labels import EllipseLabelsConverter
from backend.converters.hypertext_labels import HyperTextLabelsConverter
from backend.converters.keypoint_labels import KeyPointLabelsConverter
from backend.converters.labels import LabelsConverter
from backend.converters.paragraph_labels import ParagraphLabelsConverter
from backend.converters.polygon_labels import PolygonLabelsConverter
from backend.converters.rating import RatingConverter
from backend.converters.rectangle import RectangleConverter
from backend.converters.rectangle_labels import RectangleLabelsConverter
from backend.converters.taxonomy import TaxonomyConverter
from backend.converters.text_area import TextAreaConverter

if TYPE_CHECKING:
    from backend.labelstudio.config import Control
    from model_zoo.postprocess import Decision

CONVERTERS: Mapping[str, Converter] = {
    converter.tag: converter
    for converter in (
        ChoicesConverter(),
        RatingConverter(),
        TaxonomyConverter(),
        RectangleLabelsConverter(),
        RectangleConverter(),
        BrushLabelsConverter(),
        PolygonLabelsConverter(),
        BitmaskLabelsConverter(),
        EllipseLabelsConverter(),
        KeyPointLabelsConverter(),
        TextAreaConverter(),
        LabelsConverter(),
        HyperTextLabelsConverter(),
        ParagraphLabelsConverter(),
    )
}
"""The converter of each control tag that can be learnt; the same tags as in `labelstudio.config.TRAINABLE`."""


def regions_of(
    control: Control, decision: Decision, data: Mapping[str, Any], *, key: str, drawn: Sequence[Region] = ()
) -> list[Region]:
    """A prediction's regions for one control: encoded, and anchored in the task's data where that takes more. `drawn`
    are those of the controls before, which this one may say something of."""
    converter = CONVERTERS[control.tag]
    if control.about and isinstance(converter, ClassificationConverter):
        return converter.remarked(control, decision, drawn)
    regions = converter.encode(control, decision, key=key)
    return converter.anchored(control, regions, data) if isinstance(converter, LabelsConverter) else regions


__all__ = ["CONVERTERS", "Converter", "Region", "Report", "regions_of"]
