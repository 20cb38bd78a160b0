"""Exported captioners: the encoder as a network, what writes the captions as its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo import checkpoint
from model_zoo.captions.model import output, writer_of
from model_zoo.image_classification.encoder import square
from model_zoo.postprocess import CaptionPostprocess
from model_zoo.standalone.networks import Run, image_of

if TYPE_CHECKING:
    from model_zoo.captions.model import CaptionModel

MODEL = "model"


def write(model: CaptionModel, folder: Path) -> dict[str, Any]:
    model.save(folder / MODEL)
    return {"family": model.family.name, "dimensions": model.dimensions}


class Predictor:
    """Answers `{"captions": [{"text", "confidence"}]}`, the best first; the confidence is the share of words that a
    caption may be expected to have in common with a person's."""

    def __init__(self, folder: Path, config: Mapping[str, Any], run: Run) -> None:
        found = checkpoint.read(folder / MODEL, config["family"])
        self._labels = found.labels
        self._writer = writer_of(found, int(config["dimensions"]))
        self._postprocess = CaptionPostprocess.from_json(config["postprocess"])
        self._run = run

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        return [self._one(value) for value in inputs]

    def _one(self, value: Any) -> dict[str, Any]:
        (features,) = self._run(square(image_of(value))[None])
        decision = self._postprocess.decide(output(self._writer, np.asarray(features[0], np.float32)), self._labels)
        return {"captions": [{"text": text, "confidence": confidence} for text, confidence in decision.captions]}
