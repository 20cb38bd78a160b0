"""What the project's own detector knows is proposed before what merely looks alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from backend.interactive.assistant import Assistant
from backend.interactive.own import OwnModels
from backend.interactive.ready import READY
from backend.labelstudio.config import LabellingConfig
from backend.projects.roles import RolePolicy
from backend.serving.inputs import InputReader
from backend.serving.pool import LoadedControl, LoadedVersion, Pool
from backend.serving.predict import Predictor
from backend.settings import Settings
from model_zoo.base import Model
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.registry import family
from model_zoo.types import DetectionOutput, Item, LabelSpace, Output
from tests.backend.interactive.conftest import BALL, HEIGHT, WIDTH, Files, box, picture

LABELS = LabelSpace(("Car", "Sign"))
XML = READY["similar-boxes"].xml
OTHER = (5, 5, 45, 40)


class Detector(Model):
    """Sees a car in the ball and another one, and a sign elsewhere."""

    labels = LABELS

    def predict(self, items: Sequence[Item]) -> list[Output]:
        boxes = np.array([BALL, OTHER, (120, 80, 150, 110)], np.float32)
        probabilities = np.array([[0.9, 0], [0.8, 0], [0, 0.9]], np.float32)
        return [DetectionOutput(boxes, probabilities, WIDTH, HEIGHT) for _ in items]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        return 0


class Served:
    """A pool that serves one version, or none yet."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self, uid: str) -> str:
        return self._name

    def get(self, uid: str, config: LabellingConfig) -> LoadedVersion:
        kind = family("text_classification/minilm_linear.v1")
        loaded = LoadedControl("", kind, Detector(), DetectionPostprocess.uncalibrated(LABELS))
        return LoadedVersion(self._name, {"box": loaded})


def proposed(folder: Path, version: str) -> list[float]:
    """The left edges, in percent, of what is proposed beside the ball."""
    picture(folder / "ball.png")
    inputs = InputReader(Files(folder))
    own = OwnModels(cast(Pool, Served(version)), Predictor(inputs, RolePolicy()))
    assistant = Assistant(inputs, Settings(data_dir=folder, interactive_budget=30.0), own=own)
    try:
        task = {"id": 1, "data": {"image": "ball.png"}}
        answer = assistant.answer("1.1795149789", XML, task, {"result": [box(BALL)]})
    finally:
        assistant.close()
        inputs.close()
    assert answer[0]["id"] == "drawn00001"
    return [round(region["value"]["x"], 2) for region in answer[1:]]


def test_boxes_of_the_own_model_are_proposed_but_for_the_one_that_is_there(tmp_path: Path) -> None:
    assert proposed(tmp_path, "v3") == [round(OTHER[0] / WIDTH * 100, 2)]


def test_before_a_first_version_nothing_is_asked(tmp_path: Path) -> None:
    assert proposed(tmp_path, "v0") == []
