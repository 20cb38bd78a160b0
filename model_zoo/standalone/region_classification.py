"""Exported classifiers of single regions: the encoder as a network, the head as its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo import checkpoint
from model_zoo.image_classification.encoder import BATCH
from model_zoo.images import image_size
from model_zoo.linear.head import LinearHead
from model_zoo.postprocess import RegionPostprocess
from model_zoo.region_classification.crops import WHOLE, crops
from model_zoo.standalone.networks import Run, image_of
from model_zoo.standalone.remarks import said
from model_zoo.types import Box, FloatArray

if TYPE_CHECKING:
    from model_zoo.region_classification.model import RegionModel

MODEL = "model"


def write(model: RegionModel, folder: Path) -> dict[str, Any]:
    model.save(folder / MODEL)
    return {"family": model.classifier.family.name}


class Predictor:
    """Asked `{"image": "photo.jpg", "regions": [[left, top, right, bottom], ...]}`, with regions in pixels of the
    upright image; on the command line the same as JSON. Answers `{"regions": [{"box", "labels", "confidence"}]}` in the
    same order: the labels that are shown, the surest first, and the calibrated confidence of every label."""

    def __init__(self, folder: Path, config: Mapping[str, Any], run: Run) -> None:
        found = checkpoint.read(folder / MODEL, config["family"])
        self._labels = found.labels
        self._head = LinearHead.from_arrays(found.arrays, found.labels.multiple)
        self._each = RegionPostprocess.from_json(config["postprocess"]).each
        self._run = run

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        return [self._one(json.loads(value) if isinstance(value, str) else value) for value in inputs]

    def _one(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        image, regions = image_of(asked["image"]), asked["regions"]
        width, height = image_size(image)
        across, down = WHOLE / width, WHOLE / height
        boxes = [
            Box(left * across, top * down, right * across, bottom * down, "") for left, top, right, bottom in regions
        ]
        shown = [crop.input for crop in crops(image, boxes)]
        parts = [self._features(shown[start : start + BATCH]) for start in range(0, len(shown), BATCH)]
        rows = self._head.probabilities(np.concatenate(parts)) if parts else ()
        answers = [said(self._each, self._labels, row) for row in rows]
        return {"regions": [{"box": list(box), **answer} for box, answer in zip(regions, answers, strict=True)]}

    def _features(self, images: Sequence[Any]) -> FloatArray:
        (features,) = self._run(np.stack(images))
        return np.asarray(features, np.float32)
