from __future__ import annotations

import logging
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import torch

from model_zoo.errors import MissingExtra, WeightsNotFound
from model_zoo.object_detection import upstream
from model_zoo.object_detection.bases import AT_RANDOM, Base, coco_weights, first_found, from_file
from model_zoo.object_detection.family import YoloV1
from model_zoo.object_detection.network import PARTS, Network, digest
from model_zoo.runtime import Runtime
from model_zoo.types import DetectionOutput, Item, LabelSpace

NOWHERE = (coco_weights("yolo_of_nobody", 1, None),)


@pytest.fixture(scope="module")
def random_base() -> Base:
    return first_found(NOWHERE, None, "yolov8n")


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of the kind that Ultralytics publishes; its weights are random."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        built = upstream.build("yolov8n")
    for branch in built.model[-1].cv3:
        torch.nn.init.uniform_(branch[-1].bias, -4, 0)
    built.names = dict(enumerate(["person", "bicycle", "car", *map(str, range(77))]))
    torch.save({"model": built.half(), "ema": None, "train_args": {}}, folder / "yolov8n.pt")
    return folder


def test_random_weights_are_the_same_in_every_process_and_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        first, second = (first_found(NOWHERE, None, "yolov8n") for _ in range(2))
    assert first.digest == second.digest
    assert first.origin == AT_RANDOM
    assert not first.pretrained
    assert "random weights" in caplog.text


def test_importing_ultralytics_changes_no_other_package() -> None:
    """In a process of its own, for here it has been imported already."""
    code = (
        "import cv2, torch, numpy, warnings, PIL.Image as pil\n"
        "def state():\n"
        "    return [pil.open, torch.save, cv2.imread, cv2.imwrite, cv2.getNumThreads(), numpy.get_printoptions(),\n"
        "            list(warnings.filters), str(torch.tensor([1 / 3]))]\n"
        "before = state()\n"
        "from model_zoo.object_detection import upstream\n"
        "upstream.detection_loss(upstream.build('yolov8n').model[-1], numpy.ones(80, 'float32'))\n"
        "assert state() == before, list(zip(before, state()))"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_random_weights_disturb_nobodys_random_numbers() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    upstream.build("yolov8n")
    assert torch.equal(torch.rand(1), expected)


def test_published_weights_are_found_in_the_weights_folder(weights_dir: Path) -> None:
    base = YoloV1(Runtime(weights_dir)).base()
    assert (base.name, base.pretrained) == ("yolov8n", True)
    assert base.network.names[:3] == ("person", "bicycle", "car")


def test_all_detectors_of_a_process_share_their_base(weights_dir: Path) -> None:
    runtime = Runtime(weights_dir)
    assert YoloV1(runtime).base() is YoloV1(runtime).base()
    assert YoloV1(runtime, "yolov8n.pt").base() is not YoloV1(runtime).base()


def test_a_digest_is_that_of_the_tensors_not_of_the_file(weights_dir: Path, tmp_path: Path) -> None:
    content = torch.load(weights_dir / "yolov8n.pt", weights_only=False)
    torch.save({**content, "date": "another day"}, tmp_path / "copy.pt")
    assert (tmp_path / "copy.pt").read_bytes() != (weights_dir / "yolov8n.pt").read_bytes()
    assert from_file(tmp_path, "copy.pt").digest == from_file(weights_dir, "yolov8n.pt").digest


@pytest.mark.parametrize("content", [b"", b"not weights", {"model": {"a": 1}}, {"something": "else"}])
def test_a_file_that_is_no_detector_is_refused(tmp_path: Path, content: object) -> None:
    if isinstance(content, bytes):
        (tmp_path / "mine.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "mine.pt")
    with pytest.raises(WeightsNotFound, match=r"mine\.pt is no detection network"):
        from_file(tmp_path, "mine.pt")


class Harmful:
    """What a pickle may hold: a call of whatever its writer liked."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (self.mark,))


def test_code_in_a_weights_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"model": Harmful(tmp_path / "ran")}, tmp_path / "mine.pt")
    with pytest.raises(WeightsNotFound):
        from_file(tmp_path, "mine.pt")
    assert not (tmp_path / "ran").exists()
    torch.load(tmp_path / "mine.pt", weights_only=False)
    assert (tmp_path / "ran").exists(), "the file does hold a call"


def test_without_the_extra_a_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'prelabel\[detection\]'"):
        YoloV1(Runtime()).base()
    assert util.find_spec("torch") is not None


def test_before_any_label_what_coco_knows_is_found(weights_dir: Path) -> None:
    """Weights are random here, so what is found is noise: that of the classes which the labels mean."""
    family = YoloV1(Runtime(weights_dir))
    item = Item(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))

    def likeliest(labels: LabelSpace) -> list[float]:
        model = family.untrained(labels)
        assert model is not None
        assert model.nbytes == 0, "it is the shared network itself"
        (output,) = model.predict([item])
        assert isinstance(output, DetectionOutput)
        best: list[float] = output.probabilities.max(axis=0).tolist()
        return best

    person, bicycle, car = likeliest(LabelSpace(("person", "bicycle", "car")))
    labels = LabelSpace(("Pedestrians", "wheels", "logo"), descriptions=((), ("bike", "car"), ()))
    assert likeliest(labels) == pytest.approx([person, max(bicycle, car), 0])


def test_labels_that_coco_does_not_know_are_not_guessed(weights_dir: Path) -> None:
    assert YoloV1(Runtime(weights_dir)).untrained(LabelSpace(("raccoon",))) is None


@pytest.mark.parametrize("architecture", ["yolov8n", "yolo11n", "yolo26n", "yolov3-tiny"])
def test_taken_apart_a_network_answers_as_whole(architecture: str) -> None:
    """Against Ultralytics' own forward pass."""
    whole = upstream.build(architecture)
    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = whole(images)[1]
        expected = expected.get("one2many", expected)
        network = Network.of(whole)
        raw = network(images)
        corners = network.decode(raw.boxes, raw.levels)
    torch.testing.assert_close(raw.scores, expected["scores"])
    torch.testing.assert_close(raw.boxes, expected["boxes"])
    assert corners.shape == (2, raw.scores.shape[2], 4)
    assert (corners[..., 2:] - corners[..., :2]).mean() > 0


def test_corners_are_what_ultralytics_decodes() -> None:
    whole = upstream.build("yolov8n")
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        centres = whole(images)[0][:, :4]
        network = Network.of(whole)
        raw = network(images)
        corners = network.decode(raw.boxes, raw.levels).transpose(1, 2)
    torch.testing.assert_close((corners[:, :2] + corners[:, 2:]) / 2, centres[:, :2], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(corners[:, 2:] - corners[:, :2], centres[:, 2:], rtol=1e-4, atol=1e-3)


def test_new_labels_begin_as_the_classes_they_are_like(random_base: Base) -> None:
    mixture = np.zeros((3, 80), np.float32)
    mixture[0, 7] = 1.0
    mixture[1, [7, 9]] = 0.5
    network = random_base.network.with_labels(("a", "b", "c"), mixture)
    levels = [torch.rand(1, channels, 4, 4) for channels in (64, 128, 256)]
    before, after = random_base.network.class_branch(levels), network.class_branch(levels)
    torch.testing.assert_close(after[:, 0], before[:, 7])
    torch.testing.assert_close(after[:, 1], (before[:, 7] + before[:, 9]) / 2)
    assert after[:, 2].sigmoid().max() < 0.01


def test_labels_like_nothing_begin_as_likely_as_they_are_dense(random_base: Base) -> None:
    side = 64
    density = np.array([5.0, 0.1]) / side**2
    network = random_base.network.with_labels(("crowded", "scarce"), None, density)
    fine = network.class_branch([torch.zeros(1, channels, 8, 8) for channels in (64, 128, 256)])[0, :, 0].sigmoid()
    # The finest grid has a cell every 8 pixels.
    np.testing.assert_allclose(fine / (1 - fine), density * 8**2, rtol=1e-3)


def test_statistics_are_counted_anew_and_layers_left_as_they_were(random_base: Base) -> None:
    network = random_base.network.own(PARTS)
    norm = next(module for module in network.layers[0].modules() if isinstance(module, torch.nn.BatchNorm2d))
    momentum, before = norm.momentum, norm.running_mean.clone()
    network.normalise_anew(True)
    images = [torch.full((2, 3, 64, 64), shade) for shade in (0.2, 0.8)]
    with network.counting(), torch.no_grad():
        for image in images:
            network(image)
    network.normalise_anew(False)
    with torch.no_grad():
        expected = torch.stack([network.layers[0].conv(image).mean((0, 2, 3)) for image in images]).mean(0)
    torch.testing.assert_close(norm.running_mean, expected, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(norm.running_mean, before)
    assert norm.momentum == momentum


def test_a_network_of_its_own_shares_the_rest(random_base: Base) -> None:
    own = random_base.network.own(("last",))
    before, after = (dict(network.tensors(PARTS)) for network in (random_base.network, own))
    shared = {name for name in before if before[name].data_ptr() == after[name].data_ptr()}
    assert {name for name in before if ".cv3." in name} == before.keys() - shared
    assert digest(own) == random_base.digest
