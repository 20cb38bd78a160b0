"""`HyperTextLabels` on a `HyperText`: named entities, under the name that older configs use."""

from __future__ import annotations

from typing import ClassVar

from backend.converters.labels import LabelsConverter


class HyperTextLabelsConverter(LabelsConverter):
    """As `Labels`; only the regions' type is another."""

    tag: ClassVar[str] = "HyperTextLabels"
    type: ClassVar[str] = "hypertextlabels"
