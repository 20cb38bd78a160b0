"""What few painted images teach a U-Net: `python -m tests.benchmarks.zoo --only semantic --only photographs`

Mean overlap (mIoU) after 5 and 20 images: of pedestrians and the rest (`seg_pennfudan`), and of five kinds of things
and the rest in photographs (`coco_mini`, masks of one kind joined). Beside it the same network trained as
segmentation-models-pytorch's own examples do (whole network, Dice loss, Adam at 2e-4, batches of 8, mirrored images) on
the same images for the same number of seconds, judged by the likeliest label of each pixel.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image

from backend.evaluation.semantic_segmentation import SegmentationEvaluation
from backend.simulation.masks import polygon_mask, run_length_mask
from model_zoo.base import Model
from model_zoo.masks import map_of, mask_of
from model_zoo.postprocess import SegmentationPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.semantic_segmentation.cache import pixels_of
from model_zoo.semantic_segmentation.family import UnetFamily
from model_zoo.semantic_segmentation.model import UnetModel
from model_zoo.semantic_segmentation.network import WHOLE
from model_zoo.semantic_segmentation.views import UNKNOWN, drawn, plain
from model_zoo.types import Item, LabelSpace, SegmentationExample, TaskKind
from tests.benchmarks.forms import AT_ONCE, serving_costs
from tests.benchmarks.shared_data import shared
from tests.benchmarks.zoo_draws import costing, network_on_disk, on_disk, tried
from tests.benchmarks.zoo_rows import Row, Trial

HELD_OUT = 30
SIZES = (5, 20)
SIDE = 320
MEASURES = ("miou", "f1")
LIBRARY = "the library's own"
RATE, BATCH = 2e-4, 8
"""Of the library's own example (`examples/binary_segmentation_intro.ipynb`)."""
LABELS = {"person": "person", "animal": "animal", "vehicle": "vehicle", "food": "food", "furniture": "furniture"}
"""Super-categories of COCO with labels of ours."""

Examples = list[SegmentationExample]


def pedestrians() -> tuple[LabelSpace, Examples]:
    root, labels = shared("seg_pennfudan"), LabelSpace(("pedestrian",))
    examples = []
    for file in sorted((root / "PNGImages").glob("*.png")):
        values = np.asarray(Image.open(root / "PedMasks" / f"{file.stem}_mask.png"))
        size = (values.shape[1], values.shape[0])
        mask = mask_of("pedestrian", values > 0, size)
        examples.append(SegmentationExample(Item(file), map_of([mask] if mask else [], size)))
    return labels, examples


def things() -> tuple[LabelSpace, Examples]:
    root, examples = shared("coco_mini"), []
    for file in sorted((root / "annotations").glob("instances_*.json")):
        content = json.loads(file.read_text())
        kinds = {one["id"]: LABELS.get(one["supercategory"]) for one in content["categories"]}
        for image in content["images"]:
            size = (image["width"], image["height"])
            found = []
            for one in content["annotations"]:
                label = kinds[one["category_id"]] if one["image_id"] == image["id"] else None
                if label is None:
                    continue
                shape = one["segmentation"]
                crowd = isinstance(shape, dict)
                bits = run_length_mask(shape["counts"], size[1], size[0]) if crowd else polygon_mask(shape, size)
                found.append(mask_of(label, bits, size))
            masks = sorted((mask for mask in found if mask), key=lambda mask: -mask.rows * mask.columns)
            path = next(root.rglob(image["file_name"]), None)
            if path is not None and masks:
                examples.append(SegmentationExample(Item(path), map_of(masks, size)))
    return LabelSpace(tuple(LABELS.values())), examples


PEDESTRIANS, THINGS = "pennfudan", "coco_mini"
SETS = {PEDESTRIANS: pedestrians, THINGS: things}


def judge(model: Model, test: Sequence[SegmentationExample], process: SegmentationPostprocess) -> dict[str, float]:
    outputs = model.predict([one.item for one in test])
    return SegmentationEvaluation().measure(outputs, [one.map.masks for one in test], process, model.labels)


def trial(name: str, count: int, seed: int, quick: bool) -> Trial:
    kind, (labels, pool, test) = _family(), _split(name, quick)
    known = [pool[at] for at in np.random.default_rng(seed).permutation(len(pool))[:count]]
    with costing() as cost:
        trained = kind.train(known, labels, Recipe(), seed=seed)
        process = SegmentationPostprocess.fit(trained.out_of_fold, [one.map.masks for one in known], labels)
    own = {**judge(trained.model, test, process), "seconds": cost.seconds}
    usual = {**default(kind, known, test, labels, seed, cost.seconds), "seconds": cost.seconds}
    return Trial(own, {LIBRARY: usual}, cost.peak, on_disk(trained.model))


def default(
    kind: UnetFamily, known: Examples, test: Examples, labels: LabelSpace, seed: int, seconds: float
) -> dict[str, float]:
    """The library's own way, from the same pretrained encoder, for so many seconds."""
    import torch
    from segmentation_models_pytorch.losses import DiceLoss

    begun = time.perf_counter()
    images = drawn(known, labels, True, SIDE, lambda: None)
    seen = [plain(image, number, SIDE) for number, image in enumerate(images)]
    network = kind.begun(len(labels) + 1, seed).copy(WHOLE)
    loss_of, random = DiceLoss("multiclass", from_logits=True, ignore_index=UNKNOWN), np.random.default_rng(seed)
    network.unet.train().requires_grad_(True)
    optimizer = torch.optim.Adam(network.unet.parameters(), lr=RATE)
    while time.perf_counter() - begun < seconds:
        order = random.permutation(len(seen))
        for first in range(0, len(order), BATCH):
            batch = [seen[at] for at in order[first : first + BATCH]]
            flip = [2] if random.random() < 0.5 else []
            pixels = pixels_of(batch).flip(flip)
            true = torch.from_numpy(np.stack([one.classes for one in batch]).astype(np.int64)).flip(flip)
            loss = loss_of(network.scores(network.levels(pixels)), true)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if time.perf_counter() - begun >= seconds:
                break
    network.unet.eval().requires_grad_(False)
    return judge(UnetModel(kind, labels, network, SIDE, True), test, SegmentationPostprocess.uncalibrated(labels))


def measure(name: str, quick: bool, seeds: int) -> list[Row]:
    """The table's rows of one set; with `quick` of one draw of five images, on few of those held out."""
    kind = _family()
    counts = SIZES[:1] if quick else SIZES
    jobs = [(name, count, seed, quick) for count in reversed(counts) for seed in range(seeds)]
    found = dict(zip(jobs, tried(trial, jobs), strict=True))
    labels, _, test = _split(PEDESTRIANS, False)
    model = UnetModel(kind, labels, kind.begun(len(labels) + 1), SIDE, True)
    landscape = [one.item for one in test if one.map.width > one.map.height]
    speed, how = serving_costs(model, landscape[:AT_ONCE])
    return [
        Row(
            f"{name}, {count} images", what, [found[job] for job in jobs if job[1] == count], speed,
            network_on_disk(kind), judged=what == MEASURES[0], note=how if what == MEASURES[0] else "",
        )
        for count in counts
        for what in MEASURES
    ]  # fmt: skip


def _family() -> UnetFamily:
    kind = family(default_family(TaskKind.SEMANTIC_SEGMENTATION))
    assert isinstance(kind, UnetFamily)
    return kind


@cache
def _split(name: str, quick: bool) -> tuple[LabelSpace, Examples, Examples]:
    """Labels, images to draw from, and those held out, the same in every run."""
    labels, examples = SETS[name]()
    mixed = [examples[at] for at in np.random.default_rng(1234).permutation(len(examples))]
    return labels, mixed[HELD_OUT:], mixed[: 15 if quick else HELD_OUT]
