"""What the project's own models know comes before what merely looks alike, and before what COCO knows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from backend.converters import CONVERTERS
from backend.interactive.assistant import Assistant
from backend.interactive.engines import Engines
from backend.interactive.own import OwnModels, OwnSegmenter
from backend.interactive.ready import READY
from backend.labelstudio.config import LabellingConfig, parse_config
from backend.projects.roles import RolePolicy
from backend.serving.inputs import InputReader
from backend.serving.pool import LoadedControl, LoadedVersion, Pool
from backend.serving.predict import Predictor
from backend.settings import Settings
from model_zoo.base import Model
from model_zoo.interactive.grabcut import CONFIDENCE
from model_zoo.postprocess import CaptionPostprocess, DetectionPostprocess, InstancePostprocess, Postprocess
from model_zoo.registry import family
from model_zoo.types import CaptionOutput, DetectionOutput, InstanceOutput, Item, LabelSpace, Mask, Output
from tests.backend.interactive.conftest import BALL, HEIGHT, WIDTH, Files, box, dot, picture, region

LABELS = LabelSpace(("Car", "Sign"))
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


class Segmenter(Detector):
    """Sees a car, and in the ball's upper half a person."""

    labels = LabelSpace(("Person", "Car"))

    def predict(self, items: Sequence[Item]) -> list[Output]:
        corners = ((60, 30, 110, 55), (5, 5, 45, 40))
        basis = np.full((2, HEIGHT // 4, WIDTH // 4), -9, np.float16)
        for picture_, (left, top, right, bottom) in zip(basis, corners, strict=True):
            picture_[top // 4 : bottom // 4 + 1, left // 4 : right // 4 + 1] = 9
        size, whole = (WIDTH, HEIGHT), (0.0, 0.0, WIDTH / 4, HEIGHT / 4)
        probabilities = np.array([[0.6, 0], [0, 0.7]], np.float32)
        arrays = (np.array(corners, np.float32), probabilities, *size, np.eye(2, dtype=np.float32), basis)
        return [InstanceOutput(*arrays, whole) for _ in items]


class Captioner(Detector):
    """Says the same of every image."""

    labels = LabelSpace(())

    def predict(self, items: Sequence[Item]) -> list[Output]:
        found = ("A red ball on the floor.", "A ball.")
        return [CaptionOutput(found, np.array([0.8, 0.5], np.float32)) for _ in items]


MODELS: Mapping[str, tuple[str, Model, Postprocess]] = {
    "box": ("text_classification/minilm_linear.v1", Detector(), DetectionPostprocess.uncalibrated(LABELS)),
    "mask": ("instance_segmentation/yolo_seg.v1", Segmenter(), InstancePostprocess.uncalibrated(Segmenter.labels)),
    "caption": ("captions/show_and_tell.v1", Captioner(), CaptionPostprocess.uncalibrated(Captioner.labels)),
}
"""Family, model and postprocessing by the control's name."""


class Served:
    """A pool that serves one version, or none yet."""

    def __init__(self, name: str) -> None:
        self._name = name

    def name(self, uid: str) -> str:
        return self._name

    def get(self, uid: str, config: LabellingConfig) -> LoadedVersion:
        loaded = {name: LoadedControl("", family(kind), *rest) for name, (kind, *rest) in MODELS.items()}
        return LoadedVersion(self._name, {one.name: loaded[one.name] for one in config.controls})


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Asks an assistant of a project whose version is given."""
    picture(tmp_path / "ball.png")
    inputs = InputReader(Files(tmp_path))
    assistants: list[Assistant] = []

    def asked(name: str, version: str, drawn: dict[str, Any]) -> list[dict[str, Any]]:
        own = OwnModels(cast(Pool, Served(version)), Predictor(inputs, RolePolicy()))
        assistants.append(Assistant(inputs, Settings(data_dir=tmp_path, interactive_budget=30.0), own=own))
        task = {"id": 1, "data": {"image": "ball.png"}}
        return assistants[-1].answer("1.1795149789", READY[name].xml, task, {"result": [drawn]})

    yield asked
    for assistant in assistants:
        assistant.close()
    inputs.close()


Ask = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize(("version", "others"), [("v3", [OTHER[0]]), ("v0", [])])
def test_boxes_of_the_own_model_are_proposed_but_for_the_one_that_is_there(
    ask: Ask, version: str, others: list[int]
) -> None:
    """Before a first version nothing is asked."""
    drawn, *answer = ask("similar-boxes", version, box(BALL))
    assert drawn["id"] == "drawn00001"
    assert [round(region["value"]["x"] / 100 * WIDTH) for region in answer] == others


@pytest.mark.parametrize("name", ["masks", "bitmasks", "polygons", "box-to-mask"])
def test_a_click_chooses_among_the_objects_that_the_own_segmenter_sees(ask: Ask, name: str) -> None:
    """They are half of the ball, which GrabCut paints whole."""
    place = box((58, 28, 112, 57), label="Person") if name == "box-to-mask" else dot(85, 45)
    (own,) = ask(name, "v3", place)
    assert own["score"] == pytest.approx(0.6)
    (control,) = (one for one in parse_config(READY[name].xml).controls if one.name == "mask")
    (mask,) = CONVERTERS[control.tag].decode(control, [own]) or ()
    assert isinstance(mask, Mask)
    assert mask.corners == pytest.approx((60, 30, 110, 55), abs=2)
    assert mask.label == "Person"


def test_where_the_own_segmenter_sees_nothing_another_engine_answers(ask: Ask) -> None:
    (region,) = ask("masks", "v3", dot(85, 70))
    assert region["score"] == pytest.approx(CONFIDENCE)


def test_the_own_segmenter_comes_before_that_of_coco_and_after_sam(tmp_path: Path) -> None:
    for name in ("mobile_sam.pt", "yolov8n-seg.pt"):
        (tmp_path / name).write_bytes(b"")
    own = OwnSegmenter("own", Segmenter)
    assert [one.name for one in Engines(tmp_path).with_own(own)] == [
        *("segment_anything", "own", "proposals", "grabcut")
    ]
    assert [one.name for one in Engines(None).with_own(own)] == ["own", "grabcut"]
    assert [one.name for one in Engines(None).with_own(None)] == ["grabcut"]


def test_a_click_does_not_wait_for_a_model_that_has_to_be_loaded(tmp_path: Path) -> None:
    """Any process may get it: the floor answers, and the model serves the next click."""
    loaded = threading.Event()

    class Slow(Served):
        def get(self, uid: str, config: LabellingConfig) -> LoadedVersion:
            loaded.wait(10)
            return super().get(uid, config)

    picture(tmp_path / "ball.png")
    inputs = InputReader(Files(tmp_path))
    own = OwnModels(cast(Pool, Slow("v3")), Predictor(inputs, RolePolicy()))
    assistant = Assistant(inputs, Settings(data_dir=tmp_path, interactive_budget=0.5), own=own)
    task, context = {"id": 1, "data": {"image": "ball.png"}}, {"result": [dot(85, 45)]}
    try:
        scores = []
        for _ in range(2):
            (region,) = assistant.answer("1.1795149789", READY["masks"].xml, task, context)
            scores.append(region["score"])
            loaded.set()
            time.sleep(0.2)
    finally:
        assistant.close()
        inputs.close()
    assert scores == [pytest.approx(CONFIDENCE), pytest.approx(0.6)]


@pytest.mark.parametrize(
    ("name", "version", "written", "answer"),
    [
        ("captions", "v3", "?", ["A red ball on the floor."]),
        ("captions", "v3", "A red", ["A red ball on the floor."]),
        ("captions", "v3", "Here lies a red ball on", ["Here lies a red ball on the floor."]),
        ("captions", "v3", "Something red.", None),
        ("better-captions", "v3", "Something red.", ["Something red.", "A red ball on the floor."]),
        ("better-captions", "v3", "a red  ball on the floor.", None),
        ("better-captions", "v0", "Something red.", None),
        ("captions", "v0", "?", None),
    ],
)
def test_captions_are_what_the_own_model_says_beside_what_people_wrote(
    ask: Ask, name: str, version: str, written: str, answer: list[str] | None
) -> None:
    found = ask(name, version, region("textarea", "caption", {"text": [written]}))
    assert [one["value"] for one in found] == ([{"text": answer}] if answer else [])
