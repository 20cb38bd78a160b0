"""What few labelled frames teach about points: `python -m tests.benchmarks.zoo --only keypoints`

On a mouse with four points that COCO does not have (`kpt_mouse`, 40 frames held out), and on the people of `coco_mini`,
whose points the pretrained network knows, with some hidden. Each size over several draws of the training frames, median
and worst; beside it Ultralytics' default training of the same pose network on the same frames for as many seconds.

Points that COCO has no constant for are judged by the median of COCO's, 0.072, under which a point is found within an
eighth of the object's size; Ultralytics' own measure takes 1 / number of points, which is given beside it. Weights are
looked for in PRELABEL_WEIGHTS_DIR.
"""

from __future__ import annotations

import logging
import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model_zoo.base import Model
from model_zoo.images import image_size, read_image
from model_zoo.keypoint_metrics import keypoint_metrics
from model_zoo.keypoints.family import YoloPoseFamily
from model_zoo.poses import COCO_SIGMAS, SEEN, plain, swapped, truth_of
from model_zoo.postprocess import KeypointPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import FloatArray, LabelSpace, PoseExample, PoseOutput, TaskKind
from tests.benchmarks.figures import Figure
from tests.benchmarks.forms import AT_ONCE, serving_costs
from tests.benchmarks.keypoint_data import Split, mouse, people

DATA: Mapping[str, Callable[[], Split]] = {"kpt_mouse": mouse, "coco_mini people": people}
COUNTS = (10, 40)
SEEDS = 5
LARGEST = 100e6
"""Bytes on disk that a default may take."""


@dataclass(frozen=True)
class Trial:
    """One training: average precision by points, also by Ultralytics' own constants, and visibility told rightly."""

    map50: float
    loosely: float
    visibility: float
    seconds: float


def measure(quick: bool = False, seeds: int = SEEDS) -> list[Figure]:
    """All figures; `quick` is one draw of ten frames of the mouse, whose figures mean little."""
    folder = os.environ.get("PRELABEL_WEIGHTS_DIR")
    found = family(default_family(TaskKind.KEYPOINTS), Path(folder) if folder else None)
    assert isinstance(found, YoloPoseFamily)
    figures: list[Figure] = []
    for name, read in list(DATA.items())[: 1 if quick else None]:
        split = read()
        figures += before(found, split)
        for count in COUNTS[: 1 if quick else None]:
            own, usual = [], []
            for seed in range(1 if quick else seeds):
                drawn = split.draw(count, seed)
                model, trial = ours(found, split, drawn, seed)
                own.append(trial)
                usual.append(default(found, split, drawn, trial.seconds, seed))
            figures += _figures(f"{name}, {len(drawn)} frames", own, usual)
        figures += costs(model, split)
    return figures


def before(kind: YoloPoseFamily, split: Split) -> list[Figure]:
    """What is known before any label."""
    model = kind.untrained(split.labels)
    if model is None:
        return []
    trial = judged(model, split, KeypointPostprocess.uncalibrated(split.labels, kind.untrained_threshold), 0.0)
    return [
        Figure(split.name, "OKS mAP50 before any label", trial.map50, ""),
        Figure(split.name, "visibility told rightly before any label", trial.visibility, ""),
    ]


def ours(kind: YoloPoseFamily, split: Split, drawn: Sequence[PoseExample], seed: int) -> tuple[Model, Trial]:
    begun = time.perf_counter()
    trained = kind.train(drawn, split.labels, Recipe(), seed=seed)
    postprocess = KeypointPostprocess.fit(trained.out_of_fold, [one.poses for one in drawn], split.labels)
    seconds = time.perf_counter() - begun
    return trained.model, judged(trained.model, split, postprocess, seconds)


def judged(model: Model, split: Split, postprocess: KeypointPostprocess, seconds: float) -> Trial:
    outputs = [one for one in model.predict([one.item for one in split.test]) if isinstance(one, PoseOutput)]
    return _judged(outputs, split, postprocess, seconds)


def _judged(outputs: Sequence[PoseOutput], split: Split, postprocess: KeypointPostprocess, seconds: float) -> Trial:
    truths = [one.poses for one in split.test]
    strict = keypoint_metrics(outputs, truths, postprocess, split.labels)
    coco = all(plain(name) in COCO_SIGMAS for name in split.labels.names)
    even: FloatArray = np.full(len(split.labels), 1 / len(split.labels), np.float32)
    loose = strict if coco else keypoint_metrics(outputs, truths, postprocess, split.labels, even)
    visibility = 0.0 if np.isnan(strict.visibility) else strict.visibility
    return Trial(strict.map50, loose.map50, visibility, seconds)


def default(kind: YoloPoseFamily, split: Split, drawn: Sequence[PoseExample], seconds: float, seed: int) -> Trial:
    """Ultralytics' own training with its defaults, from the same weights, stopped after so many seconds. One model says
    of a point that it is visible, or nothing."""
    from ultralytics import YOLO

    assert kind.runtime.weights_dir is not None
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        config = _as_yolo(Path(folder), split.labels, drawn)
        said = StringIO()
        logging.getLogger("ultralytics").setLevel(logging.ERROR)  # its handler keeps the stream that it began with
        begun = time.perf_counter()
        with redirect_stdout(said), redirect_stderr(said):
            network: Any = YOLO(kind.runtime.weights_dir / f"{kind.base().name}.pt")
            network.train(
                data=str(config), time=seconds / 3600, seed=seed, device="cpu", workers=0, plots=False, val=False,
                verbose=False, project=folder, name="run", exist_ok=True,
            )  # fmt: skip
            took = time.perf_counter() - begun
            trained: Any = YOLO(Path(folder) / "run" / "weights" / "last.pt")
            outputs = [_output(trained, one, split.labels) for one in split.test]
        half = KeypointPostprocess(KeypointPostprocess.uncalibrated(split.labels).objects, 0.5, 0.5)
        return _judged(outputs, split, half, took)


def _output(network: Any, example: PoseExample, labels: LabelSpace) -> PoseOutput:
    pixels = read_image(example.item.input)
    (found,) = network.predict(pixels[:, :, ::-1], conf=0.001, verbose=False, device="cpu")
    boxes, points = found.boxes.data.numpy(), found.keypoints.data.numpy().reshape(-1, len(labels), 3)
    points = points[: len(boxes)]
    height, width = pixels.shape[:2]
    sure = points[..., 2]
    return PoseOutput(boxes[:, :4], boxes[:, 4:5], points[..., :2], sure, sure, width, height)


def _as_yolo(folder: Path, labels: LabelSpace, drawn: Sequence[PoseExample]) -> Path:
    """The frames as Ultralytics reads them: files beside text files of boxes and points."""
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for number, example in enumerate(drawn):
        Image.fromarray(read_image(example.item.input)).save(folder / "images" / f"{number}.png")
        width, height = image_size(example.item.input)
        truth = truth_of(example.poses, labels, width, height)
        lines = []
        for frame, places, states in zip(truth.frames, truth.places, truth.states, strict=True):
            left, top, right, bottom = frame / [width, height, width, height]
            box = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
            points = np.concatenate([places / [width, height], states[:, None]], axis=1).ravel()
            lines.append(" ".join(f"{value:.6f}" for value in [*box, *points]))
        (folder / "labels" / f"{number}.txt").write_text("\n".join(f"0 {line}" for line in lines))
    flip = list(swapped(labels.names) or range(len(labels)))
    (folder / "data.yaml").write_text(
        f"path: {folder}\ntrain: images\nval: images\nkpt_shape: [{len(labels)}, {SEEN + 1}]\nflip_idx: {flip}\n"
        "names:\n  0: object\n"
    )
    return folder / "data.yaml"


def _figures(part: str, own: Sequence[Trial], usual: Sequence[Trial]) -> list[Figure]:
    def median(trials: Sequence[Trial], name: str) -> float:
        return float(np.median([getattr(trial, name) for trial in trials]))

    note = f"{len(own)} draws"
    worse = median(usual, "map50") - median(own, "map50")
    return [
        Figure(part, "OKS mAP50, median", median(own, "map50"), "", None, note),
        Figure(part, "OKS mAP50, worst", min(trial.map50 for trial in own), ""),
        Figure(part, "OKS mAP50 by Ultralytics' constants, median", median(own, "loosely"), ""),
        Figure(part, "visibility told rightly, median", median(own, "visibility"), ""),
        Figure(part, "seconds of training, median", median(own, "seconds"), "s"),
        Figure(part, "Ultralytics' default: OKS mAP50, median", median(usual, "map50"), "", None, "equal time"),
        Figure(part, "Ultralytics' default: by its own constants, median", median(usual, "loosely"), ""),
        Figure(part, "Ultralytics' default: visibility told rightly, median", median(usual, "visibility"), ""),
        Figure(part, "OKS mAP50 that the default has more", worse, "", 0.0),
    ]


def costs(model: Model, split: Split) -> list[Figure]:
    """What a model takes when it serves."""
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        model.save(Path(folder) / "model")
        size = sum(file.stat().st_size for file in (Path(folder) / "model").iterdir())
    figures = [Figure(split.name, "bytes on disk", float(size), "B", LARGEST)]
    figures += serving_costs(model, [example.item for example in split.test[:AT_ONCE]], split.name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*figures, Figure(split.name, "peak memory of the process", peak, "MB")]
