"""What few painted images teach a segmenter: `python -m tests.benchmarks.zoo --only segmentation`

Mean average precision of masks on pedestrians (`seg_pennfudan`) after 5 and 20 images, under their own name, which the
pretrained network knows, and under one that says nothing. Beside it the same network trained with Ultralytics'
defaults on the same images for the same number of seconds. Weights are looked for in PRELABEL_WEIGHTS_DIR.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
from PIL import Image

from backend.converters.outlines import trace
from backend.evaluation.instance_segmentation import InstanceEvaluation
from model_zoo.base import Model
from model_zoo.images import read_image
from model_zoo.instance_segmentation.model import YoloSegModel
from model_zoo.instance_segmentation.yolo_seg import YoloSegV1
from model_zoo.masks import mask_of, part_of
from model_zoo.object_detection.bases import from_file
from model_zoo.postprocess import InstancePostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import InstanceExample, Item, LabelSpace, TaskKind
from tests.benchmarks.figures import Figure, beside_default, text_table
from tests.benchmarks.forms import serving_costs
from tests.benchmarks.shared_data import shared

HELD_OUT = 30
SIZES = (5, 20)
NAMES = ("pedestrian", "figure")
MEASURES = {"map50": "mask mAP50", "map50_95": "mask mAP50-95", "miou": "mIoU"}
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


def ours(
    kind: YoloSegV1, drawn: Sequence[InstanceExample], test: Sequence[InstanceExample], labels: LabelSpace, seed: int
) -> dict[str, float]:
    begun = time.perf_counter()
    trained = kind.train(drawn, labels, Recipe(), seed=seed)
    process = InstancePostprocess.fit(trained.out_of_fold, [one.masks for one in drawn], labels)
    seconds = time.perf_counter() - begun
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        trained.model.save(Path(folder))
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    found = judge(trained.model, test, process)
    masks = float("masks" in str(trained.hyperparameters["trained"]))
    return {**found, "seconds": seconds, "bytes": float(size), "masks": masks}


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


def measure(quick: bool, seeds: int) -> list[Figure]:
    """The figures; with `quick` of one draw of five images under the name that says nothing, on few of those held
    out."""
    folder = os.environ.get("PRELABEL_WEIGHTS_DIR")
    kind = family(default_family(TaskKind.INSTANCE_SEGMENTATION), Path(folder) if folder else None)
    assert isinstance(kind, YoloSegV1)
    if not kind.base().pretrained:
        sys.exit("No pretrained segmenter was found; set PRELABEL_WEIGHTS_DIR to the folder with yolov8n-seg.pt.")
    figures: list[Figure] = []
    for name in NAMES:
        labels = LabelSpace((name,))
        pool, test = pedestrians(name)
        test = test[:20] if quick else test
        part = f"pennfudan as {name}"
        known = kind.untrained(labels)
        if known is not None:
            process = InstancePostprocess.uncalibrated(labels, kind.untrained_threshold)
            figures.append(Figure(part, "mask mAP50 before any label", judge(known, test, process)["map50"], ""))
            figures += serving_costs(known, [one.item for one in test], "yolo_seg at 640 pixels")
        if quick and known is not None:
            continue
        for count in SIZES[:1] if quick else SIZES:
            own, usual = [], []
            for seed in range(1 if quick else seeds):
                order = np.random.default_rng(seed).permutation(len(pool))[:count]
                drawn = [pool[at] for at in order]
                own.append(ours(kind, drawn, test, labels, seed))
                usual.append(default(kind, drawn, test, labels, seed, own[-1]["seconds"]))
            said = f"masks trained in {sum(one['masks'] for one in own):.0f} of {len(own)}"
            figures += beside_default(f"{part}, {count} images", own, usual, MEASURES, said)
            print(text_table(figures[-8:]), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*figures, Figure("yolo_seg", "peak memory of this process, Ultralytics' training included", peak, "MB")]
