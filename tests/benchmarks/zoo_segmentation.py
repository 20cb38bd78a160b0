"""What few painted images teach a segmenter: `python -m tests.benchmarks.zoo --only segmentation`

Mean average precision of masks on pedestrians (`seg_pennfudan`, 30 images held out) after 5 and 20 images, under a
name that says nothing; under their own the pretrained network knows them before any label. Beside it the same network
trained with Ultralytics' defaults on the same images for the same number of seconds. Weights are looked for in
PRELABEL_WEIGHTS_DIR.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
from PIL import Image

from backend.converters.outlines import trace
from backend.evaluation.instance_segmentation import InstanceEvaluation
from model_zoo.base import Model
from model_zoo.images import image_size, read_image
from model_zoo.instance_segmentation.model import YoloSegModel
from model_zoo.instance_segmentation.yolo_seg import YoloSegV1
from model_zoo.masks import mask_of, part_of
from model_zoo.object_detection.bases import from_file
from model_zoo.postprocess import InstancePostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import InstanceExample, Item, LabelSpace, TaskKind
from tests.benchmarks.forms import AT_ONCE, serving_costs
from tests.benchmarks.shared_data import shared
from tests.benchmarks.zoo_draws import costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_rows import Row, Trial

HELD_OUT = 30
SIZES = (5, 20)
MEASURES = ("map50", "map50_95", "miou")
ULTRALYTICS = "Ultralytics"
KNOWN, STRANGE = "pedestrian", "figure"
"""What COCO knows, and what it does not."""


def pedestrians(name: str) -> tuple[list[InstanceExample], list[InstanceExample]]:
    """Images to draw from, and those held out, the same in every run."""
    root = shared("seg_pennfudan")
    examples = []
    for file in sorted((root / "PNGImages").glob("*.png")):
        values = np.asarray(Image.open(root / "PedMasks" / f"{file.stem}_mask.png"))
        size = (values.shape[1], values.shape[0])
        found = [mask_of(name, values == number, size) for number in np.unique(values) if number]
        examples.append(InstanceExample(Item(file), tuple(mask for mask in found if mask is not None)))
    order = np.random.default_rng(1234).permutation(len(examples))
    mixed = [examples[at] for at in order]
    return mixed[HELD_OUT:], mixed[:HELD_OUT]


def judge(model: Model, test: Sequence[InstanceExample], process: InstancePostprocess) -> dict[str, float]:
    outputs = model.predict([one.item for one in test])
    return InstanceEvaluation().measure(outputs, [one.masks for one in test], process, model.labels)


def trial(count: int, seed: int, quick: bool) -> Trial:
    kind, labels = _family(), LabelSpace((STRANGE,))
    pool, test = pedestrians(STRANGE)
    test = test[:10] if quick else test
    drawn = [pool[at] for at in np.random.default_rng(seed).permutation(len(pool))[:count]]
    with costing() as cost:
        trained = kind.train(drawn, labels, Recipe(), seed=seed)
        process = InstancePostprocess.fit(trained.out_of_fold, [one.masks for one in drawn], labels)
    own = {**judge(trained.model, test, process), "seconds": cost.seconds}
    usual = {**default(kind, drawn, test, labels, seed, cost.seconds), "seconds": cost.seconds}
    return Trial(own, {ULTRALYTICS: usual}, cost.peak, on_disk(trained.model))


def default(
    kind: YoloSegV1,
    drawn: Sequence[InstanceExample],
    test: Sequence[InstanceExample],
    labels: LabelSpace,
    seed: int,
    seconds: float,
) -> dict[str, float]:
    """Ultralytics' own training with its defaults, from the same weights, stopped after so many seconds."""
    from ultralytics import YOLO

    assert kind.runtime.weights_dir is not None
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as name:
        folder = Path(name)
        config = as_yolo(folder, drawn, labels)
        said = StringIO()
        logging.getLogger("ultralytics").setLevel(logging.ERROR)  # its handler keeps the stream that it began with
        with redirect_stdout(said), redirect_stderr(said):
            YOLO(kind.runtime.weights_dir / f"{kind.base().name}.pt").train(
                data=str(config), time=seconds / 3600, seed=seed, device="cpu", workers=0, plots=False, val=False,
                verbose=False, project=name, name="run", exist_ok=True,
            )  # fmt: skip
        base = from_file(folder / "run" / "weights", "last.pt", "segmentation")
        return judge(
            YoloSegModel(kind, labels, base, base.network, (), 640), test, InstancePostprocess.uncalibrated(labels)
        )


def as_yolo(folder: Path, drawn: Sequence[InstanceExample], labels: LabelSpace) -> Path:
    """The images as Ultralytics reads them: files beside text files of outlines in shares of the image."""
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for number, example in enumerate(drawn):
        Image.fromarray(read_image(example.item.input)).save(folder / "images" / f"{number}.png")
        lines = []
        for mask in example.masks:
            outline = (trace(part_of(mask)) + np.array([mask.left, mask.top])) / (mask.width, mask.height)
            corners = " ".join(f"{share:.5f}" for share in outline.clip(0, 1).ravel())
            lines.append(f"{labels.names.index(mask.label)} {corners}")
        (folder / "labels" / f"{number}.txt").write_text("\n".join(lines))
    names = "".join(f"  {index}: {name!r}\n" for index, name in enumerate(labels.names))
    (folder / "data.yaml").write_text(f"path: {folder}\ntrain: images\nval: images\nnames:\n{names}")
    return folder / "data.yaml"


def measure(quick: bool, seeds: int) -> list[Row]:
    kind = _family()
    counts = SIZES[:1] if quick else SIZES
    jobs = [(count, seed, quick) for count in reversed(counts) for seed in range(seeds)]
    found = dict(zip(jobs, tried(trial, jobs), strict=True))
    _, test = pedestrians(KNOWN)
    labels = LabelSpace((KNOWN,))
    known = kind.untrained(labels)
    assert known is not None
    untrained = judge(known, test, InstancePostprocess.uncalibrated(labels, kind.untrained_threshold))["map50"]
    landscape = [one.item for one in test if np.less(*reversed(image_size(one.item.input)))]
    speed, how = serving_costs(known, landscape[:AT_ONCE])
    note = f"{how}; as {KNOWN}, before any label: {untrained:.3f}"
    return [
        Row(
            f"pennfudan, {count} images", what, [found[job] for job in jobs if job[0] == count], speed,
            network_on_disk(kind), judged=what == MEASURES[0], note=note if what == MEASURES[0] else "",
        )
        for count in counts
        for what in MEASURES
    ]  # fmt: skip


def _family() -> YoloSegV1:
    folder = os.environ.get("PRELABEL_WEIGHTS_DIR")
    kind = family(default_family(TaskKind.INSTANCE_SEGMENTATION), Path(folder) if folder else None)
    assert isinstance(kind, YoloSegV1)
    if not kind.base().pretrained:
        sys.exit("No pretrained segmenter was found; set PRELABEL_WEIGHTS_DIR to the folder with yolov8n-seg.pt.")
    return kind
