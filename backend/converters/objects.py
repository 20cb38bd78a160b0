"""What control tags that mark objects on an image have in common: a region an object, each with labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from backend.converters.base import Region, Report, always_asked, log, text_of, title
from backend.labelstudio.config import Control, shorten
from model_zoo.types import LabelSpace

Piece = TypeVar("Piece")
"""What one region says under one label."""


class ObjectsConverter(ABC, Generic[Piece]):
    """Label Studio stores one region an object, and none for an image without objects."""

    tag: ClassVar[str]
    may_be_empty: ClassVar[bool] = True
    shape: ClassVar[str]
    """What a region is called in messages."""

    @abstractmethod
    def read(self, region: Mapping[str, Any], label: str) -> Piece | None:
        """What a region says under `label`; None where it is no such shape, or lies outside of the image."""

    def label_space(self, control: Control) -> LabelSpace:
        return LabelSpace(control.label_names, descriptions=tuple(label.descriptions for label in control.labels))

    def input_of(self, control: Control, data: Mapping[str, Any]) -> str:
        return text_of(control, data)

    def decode(self, control: Control, result: Sequence[Any], report: Report = log.info) -> tuple[Piece, ...] | None:
        """Every object, in the order of the regions. None drawn means that there are no objects; None usable of those
        drawn, that the annotation does not answer.

        Labels that the config no longer has are left out and reported; so is what would be no such shape at all.
        """
        regions = [region for region in result if isinstance(region, Mapping) and control.owns(region.get("from_name"))]
        pieces = tuple(self._pieces(control, regions, report))
        drawn = any(region.get("from_name") == control.name for region in regions)
        return pieces if pieces or (not drawn and always_asked(control)) else None

    def _named(self, control: Control, regions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Any]]:
        """The regions with a shape, each with its label names as they came."""
        for region in regions:
            value = region.get("value")
            yield region, value.get(self.tag.lower()) if isinstance(value, Mapping) else None

    def _pieces(self, control: Control, regions: Sequence[Mapping[str, Any]], report: Report) -> Iterator[Piece]:
        for region, names in self._named(control, regions):
            if not isinstance(names, list) or not names:
                report(f"{title(control)} got a region without a label; it is left out.")
                continue
            for name in names:
                if not isinstance(name, str) or not control.has_label(name):
                    gone = shorten(str(name))
                    report(f'{title(control)} no longer has the label "{gone}" of an annotation; it is left out.')
                    continue
                piece = self.read(region, name)
                if piece is None:
                    report(f"{title(control)} got a region that is no {self.shape} within the image; it is left out.")
                else:
                    yield piece


def common(control: Control, identifier: str, size: tuple[int, int], confidence: float) -> Region:
    """What all regions on an image of `size` (width, height) have, whatever their shape."""
    return {
        "id": identifier,
        "to_name": control.to_name,
        "original_width": size[0],
        "original_height": size[1],
        "image_rotation": 0,
        "score": min(max(float(confidence), 0.0), 1.0),
    }
