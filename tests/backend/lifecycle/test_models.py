"""Exported models answer as the version does, in a process that cannot import Prelabel."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from backend.cli import app
from backend.demo.samples import digits
from backend.errors import InvalidRequest, StoreError, UnknownVersion
from backend.lifecycle.models import FORMS, export_models
from backend.lifecycle.standalone import Model as Standalone
from backend.projects.record import ProjectRecord
from backend.serving.families import Families
from backend.settings import Settings
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions
from model_zoo.calibration import Calibration
from model_zoo.object_detection.family import YoloFamily
from model_zoo.object_detection.model import YoloModel
from model_zoo.postprocess import DetectionPostprocess, postprocess_of
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import Input, Item, LabelSpace, TaskKind
from tests.backend.bulk.published import publish
from tests.backend.lifecycle.alone import predicted_alone
from tests.backend.lifecycle.untrained import spread

UID = "7.1795149789"
TEXT = '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">{}</Choices></View>'
IMAGE = '<View><Image name="image" value="$image"/><Choices name="digit" toName="image">{}</Choices></View>'
CHOICES = '<Choice value="a"/><Choice value="b"/><Choice value="never labelled"/>'
WORDS = ["my invoice is wrong", "the app crashes", "refund me, please 😀", "an error when I log in", "x " * 600]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    made = []
    for digit in digits(4):
        (folder / digit.name).write_bytes(digit.png)
        made.append(folder / digit.name)
    Image.effect_noise((640, 480), 80).convert("RGB").save(folder / "noise.jpg")
    Image.effect_noise((120, 300), 80).convert("RGB").save(folder / "upright.jpg")
    return [*made, folder / "noise.jpg", folder / "upright.jpg"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> Settings:
    """A store with a project of texts and one of images."""
    made = Settings(data_dir=tmp_path_factory.mktemp("data"))
    texts: list[tuple[Input, str]] = [(text, "ab"[at % 2]) for at, text in enumerate(WORDS)]
    images: list[tuple[Input, str]] = [(file, "ab"[at % 2]) for at, file in enumerate(pictures)]
    publish(made, UID, TEXT.format(CHOICES), {"topic": texts})
    publish(made, "8.5", IMAGE.format(CHOICES), {"digit": images})
    return made


def expected(settings: Settings, uid: str, inputs: Sequence[Input]) -> list[tuple[list[str], list[float]]]:
    """Labels and confidences as the version itself gives them."""
    store = ObjectStore(settings.store_address)
    manifest = Versions(store).current(uid)
    assert manifest is not None
    (part,) = manifest.controls.values()
    family = Families().behind(part)
    model = family.load(Artifacts(store).fetch(part.artifact))
    postprocess = postprocess_of(family.task).from_json(part.postprocess)
    decisions: list[Any] = [
        postprocess.decide(output, model.labels) for output in model.predict([Item(value) for value in inputs])
    ]
    return [([name for name, _ in one.labels], one.confidence.tolist()) for one in decisions]


@pytest.mark.parametrize("form", FORMS)
def test_texts_are_answered_alike_without_prelabel(form: str, settings: Settings, tmp_path: Path) -> None:
    exported = export_models(settings, 7, "current", form, tmp_path / "out")
    assert (exported.version, exported.problems) == ("v1", {})
    found = predicted_alone(exported.folders["topic"], WORDS)
    for one, (labels, confidence) in zip(found, expected(settings, UID, WORDS), strict=True):
        assert one["labels"] == labels
        assert list(one["confidence"]) == ["a", "b", "never labelled"]
        assert list(one["confidence"].values()) == pytest.approx(confidence, abs=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_images_are_answered_alike(form: str, settings: Settings, pictures: list[Path], tmp_path: Path) -> None:
    exported = export_models(settings, 8, "v1", form, tmp_path / "out")
    found = Standalone(exported.folders["digit"]).predict([str(file) for file in pictures])
    for one, (labels, confidence) in zip(found, expected(settings, "8.5", pictures), strict=True):
        assert one["labels"] == labels
        assert list(one["confidence"].values()) == pytest.approx(confidence, abs=2e-3)


@pytest.mark.parametrize("form", FORMS)
def test_a_network_of_its_own_is_exported(form: str, settings: Settings, tmp_path: Path) -> None:
    texts: list[tuple[Input, str]] = [(f"{text} {at}", "ab"[at % 2]) for at, text in enumerate(WORDS * 2)]
    wish = Recipe("few_shot", {"epochs": 1, "parts": 2, "learning_rate": 1e-3})
    publish(settings, "15.5", TEXT.format(CHOICES), {"topic": texts}, recipe=wish)
    exported = export_models(settings, 15, "current", form, tmp_path / "out")
    found = Standalone(exported.folders["topic"]).predict(WORDS)
    for one, (labels, confidence) in zip(found, expected(settings, "15.5", WORDS), strict=True):
        assert one["labels"] == labels
        assert list(one["confidence"].values()) == pytest.approx(confidence, abs=1e-4)


@pytest.fixture(scope="module")
def detector(settings: Settings) -> Settings:
    """The same store with a project of boxes: a network of random weights, whose answers are as odd as its own."""
    kind = family(default_family(TaskKind.OBJECT_DETECTION))
    assert isinstance(kind, YoloFamily)
    labels, base = LabelSpace(("cat", "dog")), kind.base()
    network = spread(base.network.with_labels(labels.names))
    model = YoloModel(kind, labels, base, network, ("classes",), 96)
    store = ObjectStore(settings.store_address)
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        digest = Artifacts(store).put(Path(folder))
    post = DetectionPostprocess(Calibration(1.0, (1.2, 0.9), (0.1, -0.1)), (0.0, 0.001), smallest=0.01, most=20)
    part = ControlVersion(kind.name, digest, labels.names, postprocess=post.to_json())
    ProjectRecords(store).put(ProjectRecord("11.5", "Boxes", "<View/>"))
    Versions(store).publish(Manifest("11.5", "v1", time.time(), 1, {"box": part}))
    return settings


@pytest.mark.parametrize("form", FORMS)
def test_boxes_are_answered_alike_without_prelabel(
    form: str, detector: Settings, pictures: list[Path], tmp_path: Path
) -> None:
    exported = export_models(detector, 11, "v1", form, tmp_path / "out")
    assert exported.problems == {}
    manifest = Versions(ObjectStore(detector.store_address)).get("11.5", "v1")
    part = manifest.controls["box"]
    model = Families().behind(part).load(Artifacts(ObjectStore(detector.store_address)).fetch(part.artifact))
    postprocess = DetectionPostprocess.from_json(part.postprocess)
    found = predicted_alone(exported.folders["box"], pictures)
    for answer, output in zip(found, model.predict([Item(file) for file in pictures]), strict=True):
        decision = postprocess.decide(output, model.labels)
        assert decision.boxes
        assert [one["label"] for one in answer["boxes"]] == [one.label for one in decision.boxes]
        corners = [one["box"] for one in answer["boxes"]]
        np.testing.assert_allclose(corners, [one.corners for one in decision.boxes], atol=1.0)
        confidence = [one["confidence"] for one in answer["boxes"]]
        assert confidence == pytest.approx(list(decision.scores), abs=2e-3)


def test_several_labels_and_pixels(settings: Settings, pictures: list[Path], tmp_path: Path) -> None:
    """The loader's own ways: several labels with thresholds of their own, and inputs that are no files."""
    folder = export_models(settings, 8, "v1", "openvino", tmp_path / "out").folders["digit"]
    config = json.loads((folder / "model.json").read_text())
    config |= {"multiple": True}
    config["postprocess"] = {
        "temperature": 1.0, "slopes": [1.0, 2.0, 1.0], "shifts": [0.0, 1.0, 0.0], "thresholds": [0.0, 0.0, 1.1]
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(config))
    model = Standalone(folder)
    opened = Image.open(pictures[0])
    by_path, by_image, by_pixels = model.predict([pictures[0], opened, np.asarray(opened.convert("RGB"))])
    assert by_path == by_image == by_pixels
    assert sorted(by_path["labels"]) == ["a", "b"]
    first, second = (by_path["confidence"][name] for name in by_path["labels"])
    assert first >= second


def test_the_command_says_how_to_run_it(settings: Settings, tmp_path: Path) -> None:
    given = ["export", "--project", "7", "--output", str(tmp_path / "out"), "--data-dir", str(settings.data_dir)]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert result.output.strip() == f"v1, topic: python {tmp_path}/out/topic/predict.py INPUT"
    config = json.loads((tmp_path / "out" / "topic" / "model.json").read_text())
    assert config["made_from"]["version"] == "v1"
    assert (tmp_path / "out" / "topic" / "encoder.safetensors").exists()


def test_what_cannot_be_exported_is_said(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="Got the form 'pickle'"):
        export_models(settings, 7, "v1", "pickle", tmp_path / "out")
    with pytest.raises(UnknownVersion, match="It has: v1"):
        export_models(settings, 7, "v9", "onnx", tmp_path / "out")
    (tmp_path / "mine").write_text("x")
    with pytest.raises(StoreError, match="not an empty folder"):
        export_models(settings, 7, "v1", "onnx", tmp_path / "mine")
    ProjectRecords(ObjectStore(settings.store_address)).put(ProjectRecord("9.5", "", "<View/>"))
    with pytest.raises(UnknownVersion, match="no version to export yet"):
        export_models(settings, 9, "current", "onnx", tmp_path / "out")
