"""Models that bring what they need of the zoo with them answer as the version does, in a process without Prelabel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.lifecycle.models import FORMS, Way, export_models
from backend.lifecycle.parts import copy_parts
from backend.projects.record import ProjectRecord
from backend.settings import Settings
from backend.store.artifacts import Artifacts
from backend.store.manifest import ControlVersion, Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.versions import Versions
from model_zoo.base import Model
from model_zoo.errors import NotCompilable
from model_zoo.images import image_size
from model_zoo.keypoints.family import YoloPoseFamily
from model_zoo.keypoints.head import Shape, build
from model_zoo.keypoints.model import Meaning, PoseModel, channels_of
from model_zoo.masks import pixels
from model_zoo.object_detection.family import ORIENTED, YoloFamily
from model_zoo.postprocess import Postprocess, postprocess_of
from model_zoo.programs.program import Program
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import (
    Box,
    CaptionExample,
    Captions,
    DetectionOutput,
    Item,
    LabelSpace,
    Output,
    PoseOutput,
    RegionItem,
    SegmentationExample,
    Span,
    TaskKind,
)
from tests.backend.lifecycle.alone import all_predicted_alone
from tests.backend.lifecycle.untrained import spread
from tests.model_zoo.named_entities.sentences import LABELS, examples
from tests.model_zoo.region_classification import moods, stickers
from tests.model_zoo.semantic_segmentation import landscapes

UID = "7.1795149789"
TEXTS = ["Ada Byron lives in Rome.", "nobody came", "", "🙂 Grace saw New York\u200b!", "Mary Jackson in Oslo. " * 90]
SAID = ("A red train on a bridge.", "Two dogs play in the snow!", "A bowl of soup, with bread.")
SIDE = 96
ONE_EACH = ("told", "spans", "masks", "points", "turned", "map", "remarks")
"""What the forms that take long are tried on; the others differ in what is done with the same networks' outputs."""


@dataclass(frozen=True)
class Control:
    """One control's model, how its outputs are decided on, and what it is asked."""

    model: Model
    postprocess: Postprocess
    inputs: Sequence[Any]
    items: Sequence[Item] = ()
    """The same as the zoo has it, where that is not plain."""

    def decided(self) -> list[Any]:
        outputs = self.model.predict(self.items or [Item(value) for value in self.inputs])
        return [self.postprocess.decide(output, self.model.labels) for output in outputs]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    for number, size in enumerate(((120, 200), (130, 60))):
        noise = np.random.default_rng(number).normal(128, 80, size).clip(0, 255)
        Image.fromarray(noise.astype(np.uint8)).convert("RGB").save(folder / f"{number}.jpg")
    return sorted(folder.iterdir())


def _captioner(pictures: list[Path], **overrides: Any) -> Control:
    kind = family(default_family(TaskKind.CAPTIONS))
    third = pictures[0].parent / "third.png"  # with two captions of one image, rounding would choose between them
    Image.open(pictures[0]).rotate(90, expand=True).save(third)
    given = [CaptionExample(Item(file), Captions((text,))) for file, text in zip([*pictures, third], SAID, strict=True)]
    trained = kind.train(given, LabelSpace(()), Recipe(overrides=overrides))
    post = postprocess_of(kind.task).fit(trained.out_of_fold, [example.captions for example in given], LabelSpace(()))
    return Control(trained.model, post, pictures)


def _tagger() -> Control:
    kind, labels = family(default_family(TaskKind.NAMED_ENTITIES)), LabelSpace(LABELS)
    trained = kind.train(examples(), labels, Recipe(overrides={"iterations": 15, "folds": 2}))
    post = postprocess_of(kind.task).fit(trained.out_of_fold, [example.spans for example in examples()], labels)
    return Control(trained.model, post, TEXTS)


def _segmenter(pictures: list[Path], columns: tuple[tuple[int, ...], ...] | None) -> Control:
    """A network of random weights, whose answers are as odd as its own."""
    kind = family(default_family(TaskKind.INSTANCE_SEGMENTATION))
    assert isinstance(kind, YoloFamily)
    labels, base = LabelSpace(("cat", "dog")), kind.base()
    network = spread(base.network.with_labels(labels.names))
    return _shown(kind.model(kind, labels, base, network, ("classes",), SIDE, columns), pictures)


def _pointer(pictures: list[Path], meaning: Meaning | None) -> Control:
    kind = family(default_family(TaskKind.KEYPOINTS))
    assert isinstance(kind, YoloPoseFamily)
    labels, base = LabelSpace(("nose", "tail"), objects=("mouse",)), kind.base_named("")
    shape = Shape(1, 2, meaning is None, 8, alone=meaning is None)  # whatever boxes it finds by chance
    head: Any = build(channels_of(base, shape), shape, 0)
    for trunk in head.trunks:
        trunk.last.bias.data.zero_()  # before training it is sure of nothing
    model = PoseModel(kind, labels, base, head, shape, SIDE, meaning)
    return _shown(model, pictures)


def _turned(pictures: list[Path]) -> Control:
    kind, labels = family(ORIENTED), LabelSpace(("car", "ship"))
    assert isinstance(kind, YoloFamily)
    base = kind.base()
    parts = ("classes", "boxes", "angles")
    network: Any = spread(base.network.with_labels(labels.names).own(parts))
    for branch in network.head.cv4:
        branch[-1].bias.data += 0.6  # before training it says that nothing is turned
    return _shown(kind.model(kind, labels, base, network, parts, SIDE), pictures)


def _mapper(pictures: list[Path]) -> Control:
    kind, labels = family(default_family(TaskKind.SEMANTIC_SEGMENTATION)), LabelSpace(landscapes.LABELS)
    given = landscapes.examples()
    trained = kind.train(given, labels, Recipe(overrides={**landscapes.TINY, "epochs": 4}))
    post = postprocess_of(kind.task).fit(trained.out_of_fold, [example.map.masks for example in given], labels)
    return Control(trained.model, post, [*pictures, *_saved(given, pictures[0].parent)])


def _saved(given: Sequence[SegmentationExample], folder: Path) -> Iterator[Path]:
    for number, example in enumerate(given):
        file = folder / f"landscape{number}.png"
        Image.fromarray(np.asarray(example.item.input)).save(file)
        yield file


def _remarker(pictures: list[Path]) -> Control:
    kind, labels = family(default_family(TaskKind.REGION_CLASSIFICATION)), LabelSpace((*stickers.LABELS, "never"))
    given = stickers.examples()
    trained = kind.train(given, labels, Recipe())
    post = postprocess_of(kind.task).fit(trained.out_of_fold, [example.remarks for example in given], labels)
    regions = [[10.5, 8.25, 50.5, 60.0], [0.0, 0.0, 59.5, 110.25]]
    asked = [json.dumps({"image": str(file), "regions": regions}) for file in pictures]
    items = []
    for file in pictures:
        percent = 100 / np.tile(image_size(file), 2)
        boxes = tuple(Box(*(np.array(corners) * percent).tolist(), label="") for corners in regions)
        items.append(RegionItem(file, regions=boxes))
    return Control(trained.model, post, asked, items)


def _judge_of_spans() -> Control:
    kind, labels = family(default_family(TaskKind.SPAN_CLASSIFICATION)), LabelSpace((*moods.LABELS, "never"))
    given = moods.examples()
    trained = kind.train(given, labels, Recipe())
    post = postprocess_of(kind.task).fit(trained.out_of_fold, [example.remarks for example in given], labels)
    spans = ((0, 3), (2, 60), (0, 3), (500, 600))
    asked = [json.dumps({"text": text, "spans": spans}) for text in TEXTS]
    places = tuple(Span(*span, "") for span in spans)
    return Control(trained.model, post, asked, [RegionItem(text, regions=places) for text in TEXTS])


def _shown(model: Model, pictures: list[Path]) -> Control:
    """With a postprocessing that shows some of what an untrained model finds."""
    labels, kind = model.labels, postprocess_of(model.family.task)
    outputs: list[Output | None] = list(model.predict([Item(file) for file in pictures]))
    found = [output for output in outputs if isinstance(output, DetectionOutput | PoseOutput)]
    best = np.sort(np.concatenate([one.probabilities.max(axis=1) for one in found]))[:-7:-1]
    gap = int((best[:-1] - best[1:]).argmax())  # else what is shown would be decided by how forms round
    least = float(best[gap] + best[gap + 1]) / 2
    return Control(model, kind.uncalibrated(labels, least), pictures)


@pytest.fixture(scope="module")
def controls(pictures: list[Path]) -> Iterator[Mapping[str, Control]]:
    kind = family(default_family(TaskKind.KEYPOINTS))
    assert isinstance(kind, YoloPoseFamily)
    base = replace(kind.base(), network=spread(deepcopy(kind.base().network)))
    with pytest.MonkeyPatch.context() as patch:
        # The pretrained part of a model of points is not saved with it.
        patch.setattr(YoloPoseFamily, "base_named", lambda self, name: base)
        yield _controls(pictures)


def _controls(pictures: list[Path]) -> Mapping[str, Control]:
    return {
        "retold": _captioner(pictures, method="nearest"),
        "told": _captioner(pictures, method="lstm", hidden=16, embedded=8, epochs=5, folds=2),
        "spans": _tagger(),
        "masks": _segmenter(pictures, None),
        "known masks": _segmenter(pictures, ((1,), (0, 1))),
        "points": _pointer(pictures, None),
        "known points": _pointer(pictures, Meaning((3, -1), ((0,),))),
        "turned": _turned(pictures),
        "map": _mapper(pictures),
        "remarks": _remarker(pictures),
        "spoken": _judge_of_spans(),
    }


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, controls: Mapping[str, Control]) -> Settings:
    """A store with a version of all controls, and one with a control of each kind."""
    made = Settings(data_dir=tmp_path_factory.mktemp("data"))
    store = ObjectStore(made.store_address)
    parts = {}
    for name, control in controls.items():
        with TemporaryDirectory() as folder:
            control.model.save(Path(folder))
            digest = Artifacts(store).put(Path(folder))
        kind, labels = control.model.family, control.model.labels
        parts[name] = ControlVersion(kind.name, digest, labels.names, postprocess=control.postprocess.to_json())
    ProjectRecords(store).put(ProjectRecord(UID, "Everything", "<View/>"))
    Versions(store).publish(Manifest(UID, "v1", time.time(), 1, parts))
    Versions(store).publish(Manifest(UID, "v2", time.time(), 2, {name: parts[name] for name in ONE_EACH}))
    return made


def _same_captions(answer: dict[str, Any], decision: Any, tolerance: float) -> None:
    assert answer["captions"]
    assert [one["text"] for one in answer["captions"]] == [text for text, _ in decision.captions]
    expected = [score for _, score in decision.captions]
    assert [one["confidence"] for one in answer["captions"]] == pytest.approx(expected, abs=tolerance)


def _same_spans(answer: dict[str, Any], decision: Any, tolerance: float) -> None:
    found = [(one["start"], one["end"], one["label"], one["text"]) for one in answer["spans"]]
    assert found == [(one.start, one.end, one.label, decision.text[one.start : one.end]) for one in decision.spans]
    assert [one["confidence"] for one in answer["spans"]] == pytest.approx(list(decision.scores), abs=tolerance)


def _same_masks(answer: dict[str, Any], decision: Any, tolerance: float) -> None:
    _same_areas({**answer, "areas": answer["objects"]}, decision, tolerance)
    for one, mask in zip(answer["objects"], decision.masks, strict=True):
        np.testing.assert_allclose(one["box"], mask.corners, atol=1e3 * tolerance)


def _same_areas(answer: dict[str, Any], decision: Any, tolerance: float) -> None:
    assert (answer["width"], answer["height"]) == (decision.width, decision.height)
    assert [one["label"] for one in answer["areas"]] == [mask.label for mask in decision.masks]
    for one, mask, score in zip(answer["areas"], decision.masks, decision.scores, strict=True):
        high, wide = one["mask"]["size"]
        counts = one["mask"]["counts"]
        drawn = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(wide, high).T
        assert (drawn != pixels(mask)).mean() <= tolerance
        assert one["confidence"] == pytest.approx(score, abs=tolerance)


def _same_corners(answer: dict[str, Any], decision: Any, tolerance: float) -> None:
    assert [one["label"] for one in answer["boxes"]] == [box.label for box in decision.boxes]
    assert [one["confidence"] for one in answer["boxes"]] == pytest.approx(list(decision.scores), abs=tolerance)
    for one, box in zip(answer["boxes"], decision.boxes, strict=True):
        np.testing.assert_allclose(one["corners"], box.points, atol=1e3 * tolerance)
        np.testing.assert_allclose(one["box"], box.corners, atol=1e3 * tolerance)


def _same_remarks(answer: dict[str, Any], decision: Any, tolerance: float) -> None:
    (regions,) = answer.values()
    assert [tuple(sorted(one["labels"])) for one in regions] == [one.labels for one in decision.remarks]
    best = [max(one["confidence"].values()) for one in regions]
    assert best == pytest.approx(list(decision.scores), abs=tolerance)
    assert tuple(regions[0]["confidence"])[:2] in (stickers.LABELS, moods.LABELS)


def _same_poses(answer: dict[str, Any], decision: Any, tolerance: float) -> None:
    for one, pose, score in zip(answer["objects"], decision.poses, decision.scores, strict=True):
        assert one["label"] == "mouse"
        assert one["confidence"] == pytest.approx(score, abs=tolerance)
        np.testing.assert_allclose(one["box"], pose.box.corners, atol=1e3 * tolerance)
        assert [(each["label"], each["visible"]) for each in one["points"]] == [
            (each.label, each.visible) for each in pose.points
        ]
        found = np.array([(each["x"], each["y"]) for each in one["points"]])
        np.testing.assert_allclose(found, np.array([(each.x, each.y) for each in pose.points]), atol=1e3 * tolerance)


SAME: Mapping[TaskKind, Callable[[dict[str, Any], Any, float], None]] = {
    TaskKind.CAPTIONS: _same_captions,
    TaskKind.NAMED_ENTITIES: _same_spans,
    TaskKind.INSTANCE_SEGMENTATION: _same_masks,
    TaskKind.KEYPOINTS: _same_poses,
    TaskKind.OBJECT_DETECTION: _same_corners,
    TaskKind.SEMANTIC_SEGMENTATION: _same_areas,
    TaskKind.REGION_CLASSIFICATION: _same_remarks,
    TaskKind.SPAN_CLASSIFICATION: _same_remarks,
}
TOLERANCES: Mapping[str, float] = {"pytorch": 1e-5, "onnx": 2e-3, "openvino": 2e-3}
"""Of confidences, and of the share of an image's pixels; a thousandth of that of pixels of a place."""


@pytest.mark.parametrize("form", FORMS)
def test_each_kind_is_answered_alike_without_prelabel(
    form: str, settings: Settings, controls: Mapping[str, Control], tmp_path: Path
) -> None:
    exported = export_models(settings, 7, "v1" if form == "pytorch" else "v2", form, tmp_path / "out")
    assert exported.problems == {}
    answers = all_predicted_alone({folder: controls[name].inputs for name, folder in exported.folders.items()})
    for name, found in zip(exported.folders, answers, strict=True):
        control = controls[name]
        decisions = control.decided()
        assert any(decision.confidence.any() for decision in decisions), name
        for answer, decision in zip(found, decisions, strict=True):
            SAME[control.model.family.task](answer, decision, TOLERANCES[form])


def test_a_model_that_adds_to_what_can_be_exported_is_refused_with_what_to_do(
    settings: Settings, controls: Mapping[str, Control], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its way would write it without what it adds."""

    def unasked(*given: Any) -> dict[str, Any]:
        raise AssertionError(f"{given} was written as what it adds to")

    monkeypatch.setattr("backend.lifecycle.models._ways", lambda: iter((Way(Model, unasked),)))
    exported = export_models(settings, 7, "v1", "onnx", tmp_path / "out")
    assert exported.folders == {}
    assert exported.problems.keys() == controls.keys()
    said = exported.problems["spans"]
    assert said.startswith("spans: Got a model of named_entities/minilm_tagger.v1, for which there is no export yet.")
    assert "Serve it with Prelabel" in said


def test_a_form_that_a_model_does_not_have_is_said_and_costs_that_model_alone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(program: Program, folder: Path, name: str) -> None:
        if "words" in program.key:
            (folder / "half").write_text("x", encoding="utf-8")
            raise NotCompilable("it has no such form: an operator is missing.")
        (folder / f"{name}.onnx").write_bytes(b"")

    monkeypatch.setattr("backend.lifecycle.models.FORMS", {**FORMS, "onnx": refuse})
    exported = export_models(settings, 7, "v1", "onnx", tmp_path / "out")
    assert exported.problems == {
        "spans": "spans: Got the form onnx, and it has no such form: an operator is missing. "
        "Export it as pytorch or openvino."
    }
    assert not (tmp_path / "out" / "spans").exists()
    assert "masks" in exported.folders


def test_parts_import_each_other_alone(tmp_path: Path) -> None:
    copy_parts(["model_zoo.standalone.keypoints"], tmp_path / "parts")
    copied = {str(file.relative_to(tmp_path / "parts")) for file in (tmp_path / "parts").rglob("*.py")}
    assert {"__init__.py", "poses.py", "standalone/keypoints.py", "postprocess/keypoints.py"} <= copied
    assert "registry.py" not in copied
    for file in (tmp_path / "parts").rglob("*.py"):
        assert "from model_zoo" not in file.read_text(encoding="utf-8")
