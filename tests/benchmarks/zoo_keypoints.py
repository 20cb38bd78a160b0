"""What few labelled frames teach about points: `python -m tests.benchmarks.zoo --only mouse --only people`

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
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
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
from tests.benchmarks.forms import AT_ONCE, serving_costs
from tests.benchmarks.keypoint_data import Split, mouse, people
from tests.benchmarks.zoo_draws import costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_rows import Row, Trial

MOUSE, PEOPLE = "kpt_mouse", "coco_mini people"
DATA: Mapping[str, Callable[[], Split]] = {MOUSE: mouse, PEOPLE: people}
COUNTS = (10, 40)
MEASURES = ("map50", "visibility", "map50_by_ultralytics")
ULTRALYTICS = "Ultralytics"


Measures = dict[str, float]
"""Average precision by points, the same by Ultralytics' own constants, and visibility told rightly."""


def trial(name: str, count: int, seed: int) -> Trial:
    kind, split = _family(), _split(name)
    drawn = split.draw(count, seed)
    with costing() as cost:
        trained = kind.train(drawn, split.labels, Recipe(), seed=seed)
        postprocess = KeypointPostprocess.fit(trained.out_of_fold, [one.poses for one in drawn], split.labels)
    own = {**judged(trained.model, split, postprocess), "seconds": cost.seconds}
    usual = {**default(kind, split, drawn, cost.seconds, seed), "seconds": cost.seconds}
    return Trial(own, {ULTRALYTICS: usual}, cost.peak, on_disk(trained.model))


def measure(name: str, quick: bool, seeds: int) -> list[Row]:
    """The table's rows of one set; `quick` is one draw of ten frames, whose figures mean little."""
    kind = _family()
    counts = COUNTS[:1] if quick else COUNTS
    jobs = [(name, count, seed) for count in reversed(counts) for seed in range(seeds)]
    found = dict(zip(jobs, tried(trial, jobs), strict=True))
    split = _split(PEOPLE)
    model = kind.untrained(split.labels)
    assert model is not None
    told = judged(model, split, KeypointPostprocess.uncalibrated(split.labels, kind.untrained_threshold))
    before = f"before any label: {told['map50']:.3f}, visibility {told['visibility']:.3f}"
    landscape = [one.item for one in split.test if np.less(*reversed(image_size(one.item.input)))]
    speed, how = serving_costs(model, landscape[:AT_ONCE])
    return [
        Row(
            f"{name}, {count} frames", what, [found[job] for job in jobs if job[1] == count], speed,
            network_on_disk(kind), judged=what == MEASURES[0],
            note=f"{how}{f'; {before}' if name == PEOPLE else ''}" if what == MEASURES[0] else "",
        )
        for count in counts
        for what in MEASURES
        if name != PEOPLE or what != "map50_by_ultralytics"
    ]  # fmt: skip


def judged(model: Model, split: Split, postprocess: KeypointPostprocess) -> Measures:
    outputs = [one for one in model.predict([one.item for one in split.test]) if isinstance(one, PoseOutput)]
    return _judged(outputs, split, postprocess)


def _judged(outputs: Sequence[PoseOutput], split: Split, postprocess: KeypointPostprocess) -> Measures:
    truths = [one.poses for one in split.test]
    strict = keypoint_metrics(outputs, truths, postprocess, split.labels)
    coco = all(plain(name) in COCO_SIGMAS for name in split.labels.names)
    even: FloatArray = np.full(len(split.labels), 1 / len(split.labels), np.float32)
    loose = strict if coco else keypoint_metrics(outputs, truths, postprocess, split.labels, even)
    visibility = 0.0 if np.isnan(strict.visibility) else strict.visibility
    return dict(zip(MEASURES, (strict.map50, visibility, loose.map50), strict=True))


def default(kind: YoloPoseFamily, split: Split, drawn: Sequence[PoseExample], seconds: float, seed: int) -> Measures:
    """Ultralytics' own training with its defaults, from the same weights, stopped after so many seconds. One model says
    of a point that it is visible, or nothing."""
    from ultralytics import YOLO

    assert kind.runtime.weights_dir is not None
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        config = _as_yolo(Path(folder), split.labels, drawn)
        said = StringIO()
        logging.getLogger("ultralytics").setLevel(logging.ERROR)  # its handler keeps the stream that it began with
        with redirect_stdout(said), redirect_stderr(said):
            network: Any = YOLO(kind.runtime.weights_dir / f"{kind.base().name}.pt")
            network.train(
                data=str(config), time=seconds / 3600, seed=seed, device="cpu", workers=0, plots=False, val=False,
                verbose=False, project=folder, name="run", exist_ok=True,
            )  # fmt: skip
            trained: Any = YOLO(Path(folder) / "run" / "weights" / "last.pt")
            outputs = [_output(trained, one, split.labels) for one in split.test]
        half = KeypointPostprocess(KeypointPostprocess.uncalibrated(split.labels).objects, 0.5, 0.5)
        return _judged(outputs, split, half)


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


def _family() -> YoloPoseFamily:
    folder = os.environ.get("PRELABEL_WEIGHTS_DIR")
    found = family(default_family(TaskKind.KEYPOINTS), Path(folder) if folder else None)
    assert isinstance(found, YoloPoseFamily)
    return found


@cache
def _split(name: str) -> Split:
    return DATA[name]()
