"""What few labelled images teach a detector: `python -m tests.benchmarks.detection [--quick] [--only PART ...]`

On raccoons (`det_raccoon`), on photographs with several classes (`coco_mini`, by name and under names that say
nothing), on pedestrians (`seg_pennfudan`) and on a crowded scene that is drawn here. Each size over several draws of
the training images: median and worst draw; beside it Ultralytics' default training of the same network on the same
images for the same number of seconds. Then (`rounds`) labelling in rounds: what the model proposes is corrected, and
learnt from. Last (`--only served`, four minutes by themselves, and not done without), the seconds from submitting boxes
in a real Label Studio to a server that has learnt from them.

Prints tables and appends them to `tests/benchmarks/RESULTS.md`, each line as soon as it is measured. Takes 20 minutes
at most on two cores, and wants them for itself: where they are slow, the last sizes are left out, and named. Weights
are looked for in PRELABEL_WEIGHTS_DIR.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timezone
from io import StringIO
from pathlib import Path

import numpy as np
from PIL import Image

from backend.evaluation.detection import DetectionEvaluation
from model_zoo.base import Model
from model_zoo.detection_metrics import DetectionMetrics, detection_metrics
from model_zoo.images import image_size, read_image
from model_zoo.object_detection.bases import Base, from_file
from model_zoo.object_detection.family import YoloFamily
from model_zoo.object_detection.model import YoloModel
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.types import DetectionExample, DetectionOutput, LabelSpace, TaskKind
from tests.benchmarks.detection_data import Split, cells, coco, pedestrians, raccoons, renamed_coco
from tests.benchmarks.detection_served import measure as measure_served
from tests.benchmarks.figures import markdown_table
from tests.benchmarks.machine import describe

RESULTS = Path(__file__).with_name("RESULTS.md")
DRAWS: dict[str, dict[int, int]] = {
    "raccoon": {1: 3, 5: 5, 10: 2, 20: 1, 40: 1, 100: 1},
    "coco_mini": {5: 2, 20: 1, 80: 1},
    "coco_mini renamed": {5: 2, 20: 1},
    "pedestrians": {5: 2, 20: 1},
    "drawn cells": {5: 2, 20: 1},
}
"""Draws of each size: fewer where a training takes longer and draws differ less."""
LATEST = 16.5
"""Minutes after which no further size is begun where all parts are measured; the longest takes three."""
MEDIAN, WORST, SECONDS = 0.95, 0.85, 15.0
"""To reach with five raccoons: mAP50 of the median and of the worst draw, and the seconds of a training."""
DATA = {
    "raccoon": raccoons,
    "coco_mini": coco,
    "coco_mini renamed": renamed_coco,
    "pedestrians": pedestrians,
    "drawn cells": cells,
}
ROUNDS, SERVED = "rounds", "served"
USUAL = (*DATA, ROUNDS)
"""The parts that are measured where none is asked for."""
ROUND, UNTIL = 20, 65
"""Images whose proposals are corrected between two trainings, and labelled images at which the rounds end."""


@dataclass(frozen=True)
class Trial:
    """One training: what it gave, and what it took. `parts` says how much of the network was trained."""

    metrics: DetectionMetrics
    seconds: float
    cpu: float
    parts: str = ""


class Report:
    """What is measured is printed and, where there is a `file`, appended to it at once: whoever ends a run early keeps
    what it had. `until` (`time.monotonic`) is when nothing more should be begun."""

    def __init__(self, file: Path | None, until: float) -> None:
        self._file = file
        self._until = until

    def is_late(self, what: str) -> bool:
        """Whether it is too late to begin this, which is said then."""
        late = time.monotonic() > self._until
        if late:
            self.say(f"Left out for want of time: {what}. `--only` measures it.")
        return late

    def say(self, *lines: str) -> None:
        print("\n".join(lines), flush=True)
        if self._file is not None:
            with self._file.open("a") as opened:
                opened.write("".join(f"{line}\n" for line in lines))


def detector() -> YoloFamily:
    folder = os.environ.get("PRELABEL_WEIGHTS_DIR")
    found = family(default_family(TaskKind.OBJECT_DETECTION), Path(folder) if folder else None)
    assert isinstance(found, YoloFamily)
    return found


def measure(model: Model, split: Split, postprocess: DetectionPostprocess) -> DetectionMetrics:
    outputs = [one for one in model.predict([e.item for e in split.test]) if isinstance(one, DetectionOutput)]
    return detection_metrics(outputs, [e.boxes for e in split.test], postprocess, LabelSpace(split.labels))


def ours(kind: YoloFamily, split: Split, drawn: Sequence[DetectionExample], seed: int) -> Trial:
    labels = LabelSpace(split.labels)
    wall, cpu = time.perf_counter(), time.process_time()
    trained = kind.train(drawn, labels, Recipe(), seed=seed)
    postprocess = DetectionPostprocess.fit(trained.out_of_fold, [example.boxes for example in drawn], labels)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Trial(measure(trained.model, split, postprocess), wall, cpu, str(trained.hyperparameters["trained"]))


def before_labels(kind: YoloFamily, split: Split) -> DetectionMetrics | None:
    labels = LabelSpace(split.labels)
    model = kind.untrained(labels)
    if model is None:
        return None
    return measure(model, split, DetectionPostprocess.uncalibrated(labels, kind.untrained_threshold))


def default(kind: YoloFamily, split: Split, drawn: Sequence[DetectionExample], seconds: float, seed: int) -> Trial:
    """Ultralytics' own training with its defaults, from the same weights, stopped after so many seconds."""
    from ultralytics import YOLO

    assert kind.runtime.weights_dir is not None
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        config = _as_yolo(Path(folder), split, drawn)
        said = StringIO()
        logging.getLogger("ultralytics").setLevel(logging.ERROR)  # its handler keeps the stream that it began with
        wall, cpu = time.perf_counter(), time.process_time()
        with redirect_stdout(said), redirect_stderr(said):
            network = YOLO(kind.runtime.weights_dir / f"{kind.base().name}.pt")
            network.train(
                data=str(config), time=seconds / 3600, seed=seed, device="cpu", workers=0, plots=False, val=False,
                verbose=False, project=folder, name="run", exist_ok=True,
            )  # fmt: skip
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        base: Base = from_file(Path(folder) / "run" / "weights", "last.pt")
        model = YoloModel(kind, LabelSpace(split.labels), base, base.network, (), 640)
        return Trial(measure(model, split, DetectionPostprocess.uncalibrated(model.labels)), wall, cpu)


def _as_yolo(folder: Path, split: Split, drawn: Sequence[DetectionExample]) -> Path:
    """The images as Ultralytics reads them: files beside text files of centres and sizes."""
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for number, example in enumerate(drawn):
        Image.fromarray(read_image(example.item.input)).save(folder / "images" / f"{number}.png")
        width, height = image_size(example.item.input)
        lines = [
            f"{split.labels.index(box.label)} "
            f"{(box.left + box.right) / 2 / width} {(box.top + box.bottom) / 2 / height} "
            f"{(box.right - box.left) / width} {(box.bottom - box.top) / height}"
            for box in example.boxes
        ]
        (folder / "labels" / f"{number}.txt").write_text("\n".join(lines))
    names = "".join(f"  {index}: {name!r}\n" for index, name in enumerate(split.labels))
    (folder / "data.yaml").write_text(f"path: {folder}\ntrain: images\nval: images\nnames:\n{names}")
    return folder / "data.yaml"


def row(what: str, count: int, trials: Sequence[Trial]) -> str:
    map50 = [trial.metrics.map50 for trial in trials]
    wide = [trial.metrics.map50_95 for trial in trials]
    recall = [trial.metrics.recall for trial in trials]
    parts = ", ".join(sorted({trial.parts.split()[-1] for trial in trials if trial.parts}))
    return (
        f"| {what} | {count} | {len(trials)} | {np.median(map50):.3f} | {min(map50):.3f} | {np.median(wide):.3f} | "
        f"{np.median(recall):.3f} | {np.median([trial.seconds for trial in trials]):.1f} | "
        f"{np.median([trial.cpu for trial in trials]):.1f} | {parts} |"
    )


HEAD = (
    "| training | images | draws | mAP50 | worst draw | mAP50-95 | recall | seconds | CPU s | up to |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def table(
    report: Report, kind: YoloFamily, split: Split, draws: Mapping[int, int], compared: bool, first: int = 0
) -> None:
    """A table, and for each target whether it is reached; of draws from number `first` on."""
    report.say(f"### {split.name}: {len(split.labels)} labels, {len(split.test)} images held out", "", HEAD)
    known, verdicts = before_labels(kind, split), []
    if known is not None:
        report.say(row("before any label", 0, [Trial(known, 0.0, 0.0)]))
    for count, often in draws.items():
        if report.is_late(f"{split.name}, {count} images"):
            continue
        own, usual = [], []
        for seed in range(first, first + often):
            drawn = split.draw(count, seed)
            own.append(ours(kind, split, drawn, seed))
            if compared:
                usual.append(default(kind, split, drawn, own[-1].seconds, seed))
        report.say(row("Prelabel", count, own))
        if usual:
            report.say(row("Ultralytics' default", count, usual))
        verdicts += targets(split.name, count, own, usual)
    report.say("", *verdicts)


def targets(name: str, count: int, own: Sequence[Trial], usual: Sequence[Trial]) -> list[str]:
    """A line for each target that this size has."""
    median = float(np.median([trial.metrics.map50 for trial in own]))
    found = []
    if usual:
        other = float(np.median([trial.metrics.map50 for trial in usual]))
        found.append((median >= other, f"mAP50 {median:.3f}, Ultralytics' default {other:.3f}"))
    if (name, count) == ("raccoon", 5):
        worst = min(trial.metrics.map50 for trial in own)
        seconds = float(np.median([trial.seconds for trial in own]))
        found.append((median >= MEDIAN, f"median mAP50 {median:.3f}, wanted {MEDIAN}"))
        found.append((worst >= WORST, f"worst mAP50 {worst:.3f}, wanted {WORST}"))
        found.append((seconds <= SECONDS, f"{seconds:.1f} s of training, wanted {SECONDS:.0f} at most"))
    return [f"- {'reached' if met else 'MISSED'}: {name}, {count} images: {said}" for met, said in found]


def rounds(report: Report, kind: YoloFamily, split: Split, seed: int = 0) -> None:
    """Five images drawn by hand; then what the model proposes on the next ones is corrected, and learnt from."""
    labels = LabelSpace(split.labels)
    evaluation = DetectionEvaluation()
    order = split.draw(len(split.pool), seed)
    known, drew, corrected = 5, 0, 0
    report.say(f"### Rounds on {split.name}", "", "| labelled | mAP50 | boxes in the next | edits to correct them |")
    report.say("| --- | --- | --- | --- |")
    while known + ROUND <= min(UNTIL, len(order)):
        drawn, following = order[:known], order[known : known + ROUND]
        trained = kind.train(drawn, labels, Recipe(), seed=seed)
        postprocess = DetectionPostprocess.fit(trained.out_of_fold, [one.boxes for one in drawn], labels)
        outputs = trained.model.predict([one.item for one in following])
        shown = [postprocess.decide(output, labels).boxes for output in outputs]
        edits = sum(evaluation.edits(found, one.boxes) for found, one in zip(shown, following, strict=True))
        score = measure(trained.model, split, postprocess).map50
        report.say(f"| {known} | {score:.3f} | {sum(len(one.boxes) for one in following)} | {edits} |")
        known += ROUND
        drew, corrected = drew + sum(len(one.boxes) for one in following), corrected + edits
    report.say("", f"{corrected} actions where {drew} boxes would have been drawn, after five images drawn by hand.")


def measure_part(report: Report, name: str, kind: YoloFamily, quick: bool, compared: bool, first: int) -> None:
    """One of the parts, with how long it took."""
    begun = time.monotonic()
    if name == SERVED:
        assert kind.runtime.weights_dir is not None
        report.say(
            "### Submitted boxes", "", markdown_table(measure_served(kind.runtime.weights_dir, 1 if quick else 5))
        )
    elif name == ROUNDS and not report.is_late(name):
        rounds(report, kind, raccoons().read_ahead())
    elif name in DATA:
        table(report, kind, DATA[name]().read_ahead(), {5: 1} if quick else DRAWS[name], compared, first)
    report.say("", f"{name}: {(time.monotonic() - begun) / 60:.1f} minutes.", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = (*USUAL, SERVED)
    parser.add_argument("--quick", action="store_true", help="one draw of five images; its figures mean little")
    parser.add_argument("--only", action="append", choices=parts, metavar="PART", help=", ".join(parts))
    parser.add_argument("--threads", type=int, help="of torch; all cores by default")
    parser.add_argument("--first-draw", type=int, default=0, help="to judge on draws that nothing was chosen by")
    parser.add_argument("--alone", action="store_true", help="without Ultralytics' default training")
    parser.add_argument("--no-results", action="store_true", help="print alone, and leave RESULTS.md as it is")
    asked = parser.parse_args()
    import torch

    if asked.threads:
        torch.set_num_threads(asked.threads)
    kind = detector()
    if not kind.base().pretrained:
        parser.error("no pretrained detector was found; set PRELABEL_WEIGHTS_DIR to the folder with yolov8n.pt")
    begun = time.monotonic()
    report = Report(None if asked.no_results else RESULTS, begun + (60 * LATEST if not asked.only else float("inf")))
    command = f"python -m tests.benchmarks.detection {' '.join(sys.argv[1:])}".strip()
    facts = [f"Command: `{command}`.", *describe()]
    facts.append(f"{kind.base().name} on {torch.get_num_threads()} threads. Simulated: who corrects the proposals.")
    report.say("", f"## {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, detection", "")
    report.say(*(f"- {fact}" for fact in facts), "")
    for name in asked.only or [part for part in USUAL if part != ROUNDS or not asked.quick]:
        measure_part(report, name, kind, asked.quick, not asked.alone, asked.first_draw)
    report.say(f"The whole took {(time.monotonic() - begun) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
