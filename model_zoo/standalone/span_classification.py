"""Exported classifiers of single spans: the encoder of texts as a network, the head as its checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo import checkpoint
from model_zoo.linear.head import LinearHead
from model_zoo.postprocess import RegionPostprocess
from model_zoo.region_classification.passages import pairs, passages
from model_zoo.standalone.networks import Run
from model_zoo.standalone.remarks import said
from model_zoo.text_classification.batches import batches, padded
from model_zoo.texts import read_text, two_passages
from model_zoo.types import FloatArray, Span

if TYPE_CHECKING:
    from model_zoo.region_classification.model import RegionModel

MODEL = "model"
TOKENIZER = "tokenizer.json"


def write(model: RegionModel, folder: Path) -> dict[str, Any]:
    classifier: Any = model.classifier  # of a type that must not be imported here: it would be copied as well
    model.save(folder / MODEL)
    shutil.copyfile(classifier.encoder.located.paths[TOKENIZER], folder / TOKENIZER)
    return {
        "family": classifier.family.name,
        "passages": classifier.encoder.passages,
        "tokens": classifier.encoder.tokens,
    }


class Predictor:
    """Asked `{"text": "Ada smiled.", "spans": [[0, 3], ...]}`, spans by their first character and that behind the last,
    in code points; on the command line the same as JSON. Answers `{"spans": [{"start", "end", "labels",
    "confidence"}]}` in the same order: the labels that are shown, the surest first, and the calibrated confidence of
    every label."""

    def __init__(self, folder: Path, config: Mapping[str, Any], run: Run) -> None:
        from tokenizers import Tokenizer

        found = checkpoint.read(folder / MODEL, config["family"])
        self._labels = found.labels
        self._head = LinearHead.from_arrays(found.arrays, found.labels.multiple)
        self._each = RegionPostprocess.from_json(config["postprocess"]).each
        self._passages = int(config["passages"])
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(int(config["tokens"]))
        self._run = run

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        return [self._one(json.loads(value) if isinstance(value, str) else value) for value in inputs]

    def _one(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        spans = [Span(int(start), int(end), "") for start, end in asked["spans"]]
        if not spans:
            return {"spans": []}
        if self._passages == 1:
            features = self._features([read_text(item.input) for item in passages(asked["text"], spans)])
        else:
            both = [two_passages(item.input) for item in pairs(asked["text"], spans)]
            parts = [self._features([pair[at] for pair in both]) for at in range(2)]
            features = np.concatenate(parts, axis=1) / np.float32(np.sqrt(2))
        rows = self._head.probabilities(features)
        return {
            "spans": [
                {"start": span.start, "end": span.end, **said(self._each, self._labels, row)}
                for span, row in zip(spans, rows, strict=True)
            ]
        }

    def _features(self, texts: Sequence[str]) -> FloatArray:
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        features: list[FloatArray] = [np.empty(0, np.float32)] * len(ids)
        for batch in batches([len(row) for row in ids]):
            (found,) = self._run(*padded([ids[at] for at in batch]))
            for at, row in zip(batch, found, strict=True):
                features[at] = np.asarray(row, np.float32)
        return np.stack(features)
