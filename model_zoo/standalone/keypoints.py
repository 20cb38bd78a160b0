"""Exported models of points: one network, its head included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_zoo.keypoints.head import Shape
from model_zoo.keypoints.model import Meaning, read
from model_zoo.object_detection.pixels import fit
from model_zoo.postprocess import KeypointPostprocess
from model_zoo.standalone.networks import Run, image_of
from model_zoo.types import LabelSpace, Pose

if TYPE_CHECKING:
    from model_zoo.keypoints.model import PoseModel


def write(model: PoseModel, folder: Path) -> dict[str, Any]:
    return {
        "side": model.side,
        "stride": model.stride,
        "shape": asdict(model.shape),
        "meaning": asdict(model.meaning) if model.meaning else None,
        "objects": list(model.labels.objects),
    }


class Predictor:
    """Answers `{"objects": [{"label", "confidence", "box", "points"}], "width", "height"}`, the surest first, with
    points as `{"label", "x", "y", "visible", "confidence"}`; pixels of the upright image. Objects that have no names or
    boxes in the project have none here: null."""

    def __init__(self, folder: Path, config: Mapping[str, Any], run: Run) -> None:
        self._config = config
        self._labels = LabelSpace(tuple(config["labels"]), objects=tuple(config["objects"]))
        self._shape = Shape(**config["shape"])
        self._meaning = Meaning(**config["meaning"]) if config["meaning"] else None
        self._postprocess = KeypointPostprocess.from_json(config["postprocess"])
        self._run = run

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        return [self._one(value) for value in inputs]

    def _one(self, value: Any) -> dict[str, Any]:
        fitted = fit(image_of(value), self._config["side"], self._config["stride"])
        found = read(fitted, [array[0] for array in self._run(fitted.pixels[None])], self._shape, self._meaning)
        decision = self._postprocess.decide(found, self._labels)
        rows = zip(decision.poses, decision.scores, decision.point_scores, strict=True)
        objects = [_object(pose, score, sure) for pose, score, sure in rows]
        return {"objects": objects, "width": decision.width, "height": decision.height}


def _object(pose: Pose, confidence: float, sure: Sequence[float]) -> dict[str, Any]:
    points = [
        {"label": point.label, "x": point.x, "y": point.y, "visible": point.visible, "confidence": score}
        for point, score in zip(pose.points, sure, strict=True)
    ]
    box = pose.box
    return {
        "label": (box.label or None) if box else None,
        "confidence": confidence,
        "box": list(box.corners) if box else None,
        "points": points,
    }
