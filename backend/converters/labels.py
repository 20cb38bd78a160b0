"""`Labels` on characters of a `Text` or a `HyperText`: named entities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from backend.converters.base import Region, Report, always_asked, log, region_id, text_of, title
from backend.converters.hypertext import page_of
from backend.converters.spans import Place, in_text, names_in, read_hypertext, read_paragraphs, read_text
from backend.labelstudio.config import Control, shorten
from model_zoo.postprocess.base import Decision, EntityDecision
from model_zoo.targets import some_of
from model_zoo.types import Item, LabelSpace, Span, Spans, Target, TaskKind

_READ: Mapping[str, Callable[[Mapping[str, Any]], Place | None]] = {
    "Text": read_text,
    "HyperText": read_hypertext,
    "Paragraphs": read_paragraphs,
}
"""Where a region is, by the object's tag."""


class LabelsConverter:
    """Label Studio stores one region a span, and none for a text without any."""

    tag: ClassVar[str] = "Labels"
    type: ClassVar[str] = "labels"
    """The regions' type, and the key of their label names."""
    may_be_empty: ClassVar[bool] = True

    def kind(self, control: Control) -> TaskKind | None:
        return TaskKind.NAMED_ENTITIES if control.object_tag in _READ else None

    def label_space(self, control: Control) -> LabelSpace:
        return LabelSpace(control.label_names, descriptions=tuple(label.descriptions for label in control.labels))

    def input_of(self, control: Control, data: Mapping[str, Any]) -> str:
        return text_of(control, data) if control.object_tag == "Text" else page_of(control, data).text

    def decode(self, control: Control, result: Sequence[Any], report: Report = log.info) -> Spans | None:
        """Every span, counted as `spans` says, in the order of the regions. None drawn means that there are none; one
        whose place cannot be read, that the annotation does not answer.

        Labels that the config no longer has are left out and reported.
        """
        regions = [
            region for region in result if isinstance(region, Mapping) and region.get("from_name") == control.name
        ]
        found: list[Span] = []
        for region in regions:
            span = self.read(control, region)
            if span is None:
                report(f"{title(control)} got a region whose place cannot be read; the annotation is not learnt from.")
                return None
            found += self._labelled(control, region["value"], span, report)
        return tuple(found) if found or (not regions and always_asked(control)) else None

    def read(self, control: Control, region: Mapping[str, Any]) -> Span | None:
        """Where a region of the control's object is, without a label; None where that cannot be read."""
        value = region.get("value")
        place = _READ[control.object_tag](value) if isinstance(value, Mapping) else None
        return self._span(place) if place is not None else None

    def target(self, decoded: Target, item: Item) -> Spans:
        """The decoded spans in characters of the item's text."""
        text = item.input if isinstance(item.input, str) else ""
        placed = (in_text(span, text) for span in some_of(Span, decoded))
        return tuple(span for span in placed if span.start < span.end)

    def encode(self, control: Control, decision: Decision, *, key: str) -> list[Region]:
        """One region a span, whose score is its confidence."""
        if not isinstance(decision, EntityDecision):
            raise TypeError(f"Got a {type(decision).__name__}, wanted an EntityDecision to mark spans from.")
        regions: list[Region] = []
        for index, (span, confidence) in enumerate(zip(decision.spans, decision.scores, strict=True)):
            name = control.label_of(span.label)
            if name is not None:
                place = self._place(control, decision.text, (span.start, span.end))
                regions.append(
                    {
                        "id": region_id(key, control.name, index),
                        "from_name": control.name,
                        "to_name": control.to_name,
                        "type": self.type,
                        "value": {**place, "text": decision.text[span.start : span.end], self.type: [name]},
                        "score": min(max(float(confidence), 0.0), 1.0),
                    }
                )
        return regions

    def anchored(self, control: Control, regions: list[Region], data: Mapping[str, Any]) -> list[Region]:
        """The encoded regions with what only the task's data tell: XPaths, where the object is a page."""
        if control.object_tag != "HyperText" or not regions:
            return regions
        page = page_of(control, data)
        for region in regions:
            offsets = region["value"]["globalOffsets"]
            region["value"] |= page.path_of(offsets["start"], offsets["end"])
        return regions

    def _place(self, control: Control, text: str, place: Place) -> dict[str, Any]:
        start, end = place
        if control.object_tag == "Text":
            return {"start": start, "end": end}
        # Where the editor finds no such path, it goes by the global offsets.
        return {"start": "", "end": "", "startOffset": 0, "endOffset": 0, "globalOffsets": {"start": start, "end": end}}

    def _span(self, place: Place) -> Span:
        """What is decoded of a place, without a label."""
        return Span(*place, "")

    def _labelled(self, control: Control, value: Mapping[str, Any], span: Span, report: Report) -> Iterator[Span]:
        names = list(names_in(value, self.type))
        if not names:
            report(f"{title(control)} got a region without a label; it is left out.")
        for name in names:
            if control.has_label(name):
                yield replace(span, label=name)
            else:
                gone = shorten(name)
                report(f'{title(control)} no longer has the label "{gone}" of an annotation; it is left out.')
