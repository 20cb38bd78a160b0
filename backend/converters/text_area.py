"""`TextArea` on an image: captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from backend.converters.base import Region, Report, log, region_id, text_of, title
from backend.labelstudio.config import Control, shorten
from backend.labelstudio.payloads import kind_of
from model_zoo.postprocess.base import CaptionDecision, Decision
from model_zoo.types import Captions, Item, LabelSpace, Target, TaskKind


class TextAreaConverter:
    """Label Studio stores `{"text": [captions]}` in one region a control, and in one a caption where older releases
    wrote them; none where nothing was written."""

    tag: ClassVar[str] = "TextArea"
    may_be_empty: ClassVar[bool] = False

    def kind(self, control: Control) -> TaskKind | None:
        return TaskKind.CAPTIONS if control.object_tag == "Image" else None

    def label_space(self, control: Control) -> LabelSpace:
        """Captions have no labels."""
        return LabelSpace(())

    def input_of(self, control: Control, data: Mapping[str, Any]) -> str:
        return text_of(control, data)

    def decode(self, control: Control, result: Sequence[Any], report: Report = log.info) -> Captions | None:
        """What was written, each once and without white space around it; None where nothing was."""
        texts: list[str] = []
        for region in result:
            if isinstance(region, Mapping) and region.get("from_name") == control.name:
                texts += _texts(control, region, report)
        return Captions(tuple(dict.fromkeys(texts))) if texts else None

    def target(self, decoded: Target, item: Item) -> Target:
        return decoded

    def encode(self, control: Control, decision: Decision, *, key: str) -> list[Region]:
        """One region with as many captions as may be submitted; its score is that of the least certain of them."""
        if not isinstance(decision, CaptionDecision):
            raise TypeError(f"Got a {type(decision).__name__}, wanted a CaptionDecision to write captions from.")
        found = {text.strip(): score for text, score in reversed(decision.captions) if text.strip()}
        shown = list(reversed(found.items()))[: control.at_most]
        if not shown:
            return []
        return [
            {
                "id": region_id(key, control.name),
                "from_name": control.name,
                "to_name": control.to_name,
                "type": "textarea",
                "value": {"text": [text for text, _ in shown]},
                "score": min(max(min(score for _, score in shown), 0.0), 1.0),
            }
        ]


def _texts(control: Control, region: Mapping[str, Any], report: Report) -> list[str]:
    """What is written in one region; empty, with a report, where it is malformed."""
    value = region.get("value")
    if region.get("type") != "textarea" or not isinstance(value, Mapping):
        report(f'{title(control)} got a region of type "{shorten(str(region.get("type")))}"; it is left out.')
        return []
    written = value.get("text")
    texts = [written] if isinstance(written, str) else written
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        report(f"{title(control)} wants a list of texts, got {kind_of(written)}; it is left out.")
        return []
    return [text.strip() for text in texts if text.strip()]
