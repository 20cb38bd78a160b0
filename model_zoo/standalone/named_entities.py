"""Exported taggers: the reader of words as a network, the head and its chain of tags as their checkpoint."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_zoo import checkpoint
from model_zoo.named_entities.fitting import Head
from model_zoo.named_entities.model import output
from model_zoo.named_entities.reading import Vectors
from model_zoo.named_entities.words import read_whole
from model_zoo.postprocess import EntityPostprocess
from model_zoo.standalone.networks import Run

if TYPE_CHECKING:
    from model_zoo.named_entities.model import TaggerModel

MODEL = "model"
TOKENIZER = "tokenizer.json"


def write(model: TaggerModel, folder: Path) -> dict[str, Any]:
    model.save(folder / MODEL)
    shutil.copyfile(model.reader.tokenizer, folder / TOKENIZER)
    return {"family": model.family.name, "dimensions": model.reader.dimensions}


class Predictor:
    """Answers `{"spans": [{"label", "start", "end", "text", "confidence"}]}` in the text's order; characters are code
    points, and `end` is that behind the last."""

    def __init__(self, folder: Path, config: Mapping[str, Any], run: Run) -> None:
        found = checkpoint.read(folder / MODEL, config["family"])
        self._labels = found.labels
        self._head = Head.from_arrays(found.arrays)
        self._vectors = Vectors(folder / TOKENIZER, int(config["dimensions"]), run)
        self._postprocess = EntityPostprocess.from_json(config["postprocess"])

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        texts = [read_whole(value) for value in inputs]
        read = self._vectors.passages(texts)
        return [self._one(text, passages) for text, passages in zip(texts, read, strict=True)]

    def _one(self, text: str, passages: Any) -> dict[str, Any]:
        found = output(self._head, text, passages, len(self._labels))
        decision = self._postprocess.decide(found, self._labels)
        spans = [
            {
                "label": span.label,
                "start": span.start,
                "end": span.end,
                "text": text[span.start : span.end],
                "confidence": score,
            }
            for span, score in zip(decision.spans, decision.scores, strict=True)
        ]
        return {"spans": spans}
