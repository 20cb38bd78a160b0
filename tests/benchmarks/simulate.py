"""What Prelabel would save on each shared set: `python -m tests.benchmarks.simulate [--quick] [--only NAME]`.

The sets are replayed through the loop's own code, at small budgets. The frames of `video_tud_campus` are labelled in
their order, round by round: five by hand, then what the model proposes on the next ones is corrected, and so on. A
crowd's budgets are annotations. Each processor replays a set at a time, the longest first.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from backend.converters import CONVERTERS
from backend.errors import InvalidRequest
from backend.labelstudio.config import parse_config
from backend.processors import available, bound_threads
from backend.settings import Settings
from backend.simulation.costs import default_costs
from backend.simulation.labelled import Kind, LabelledSet, truth
from backend.simulation.loop import Plan, simulate
from backend.simulation.readers import read_set
from backend.simulation.report import SIMULATED, Run, Summary, spread, summarise
from backend.simulation.strategies import Dealing
from model_zoo.types import Box
from tests.benchmarks.figures import Figure, append_results, text_table
from tests.benchmarks.machine import describe
from tests.benchmarks.shared_data import shared

RESULTS = Path(__file__).with_name("RESULTS.md")
COMPARED = (Dealing.RANDOM, Dealing.LEAST_CONFIDENCE, Dealing.DEFAULT)
COCO = "annotations/instances_train2017.json"
NOT_FOUND = 30.0
"""Percent of instances that may need an action after the first labelled frames."""
WORK_LEFT = 5.0
"""Percent of instances of the last round that may need an action."""
HIDDEN = 0.75
"""Share of a box within that of somebody nearer, whose feet are lower, from which on next to nothing is to be seen."""


@dataclass(frozen=True)
class Trial:
    """A set with what is simulated on it. `quick` are the budgets of a look at whether it works."""

    read: Callable[[Path], LabelledSet]
    """Given a folder for whatever has to be written."""
    budgets: tuple[int, ...]
    quick: tuple[int, ...]
    dealings: tuple[Dealing, ...] = (Dealing.RANDOM,)
    seeds: int = 1
    limit: int | None = None
    test_fraction: float = 0.3
    rounds: bool = False
    """Whether these are the rounds of the idea's origin, which are judged by their marks."""


def pennfudan(folder: Path) -> LabelledSet:
    """The masks' boxes: each mask is put beside its image under the same name."""
    for source, target in (("PNGImages", "images"), ("PedMasks", "masks")):
        (folder / target).mkdir()
        for file in (shared("seg_pennfudan") / source).glob("*.png"):
            shutil.copy(file, folder / target / file.name.replace("_mask", ""))
    return read_set(folder, "masks", "object_detection")


def video(folder: Path) -> LabelledSet:
    return read_set(shared("video_tud_campus"), "mot")


def nameless_video(folder: Path) -> LabelledSet:
    """The same under a label that no pretrained network has heard of, so that everything has to be learnt."""
    found = video(folder)
    text = json.dumps(found.tasks).replace('"pedestrian"', '"figure"')
    return replace(found, labels=("figure",), tasks=tuple(json.loads(text)))


def plain(name: str, form: str, file: str = "", task: str | None = None) -> Callable[[Path], LabelledSet]:
    return lambda folder: read_set(shared(name) / file, form, task)


TRIALS = {
    "video_tud_campus": Trial(
        video, (5, 10, 20, 30, 40, 50, 60, 67), (3, 5), (Dealing.IN_ORDER,), test_fraction=0.05, rounds=True
    ),
    "cls_signdigits": Trial(plain("cls_signdigits", "imagefolder"), (10, 20, 50, 100), (10, 20), COMPARED, 3),
    "txt_banking77": Trial(plain("txt_banking77", "csv", "train.csv"), (20, 50, 100, 200), (20, 50), COMPARED, 3, 1000),
    "det_raccoon": Trial(plain("det_raccoon", "voc"), (5, 10, 20), (3,), limit=100),
    "coco_mini": Trial(plain("coco_mini", "coco", COCO), (5, 20), (3,)),
    "seg_pennfudan, as boxes": Trial(pennfudan, (5, 10), (3,)),
    "video_tud_campus, nameless": Trial(nameless_video, (5, 10), (3, 5), (Dealing.IN_ORDER,)),
    "seg_pennfudan": Trial(lambda folder: read_set(pennfudan(folder).root, "masks"), (5, 10), (5,)),
    "coco_mini, masks": Trial(plain("coco_mini", "coco", COCO, "instance_segmentation"), (5,), (3,)),
    "kpt_mouse": Trial(plain("kpt_mouse", "keypoints-csv"), (5, 10), (5,)),
    "coco_mini, points": Trial(
        plain("coco_mini", "coco", "annotations/person_keypoints_train2017.json", "keypoints"), (5,), (3,)
    ),
    "ner_wnut17": Trial(plain("ner_wnut17", "conll", "wnut17train.conll"), (20, 100), (5,), limit=600),
    "crowd_bluebirds": Trial(plain("crowd_bluebirds", "crowd"), (108, 324, 540, 1080, 2160, 4212), (108,), seeds=5),
}


def measure(name: str, trial: Trial, quick: bool) -> tuple[list[Figure], str]:
    """Figures of one set, or a sentence why there are none."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="prelabel-benchmark-") as folder:
        found = trial.read(Path(folder))
        read = f"{name}: {len(found.tasks)} tasks, {found.regions} labels or regions, {len(found.problems)} problems"
        budgets, seeds = (trial.quick, 1) if quick else (trial.budgets, trial.seeds)
        found = found.drawn(60 if quick else trial.limit)
        plan = Plan(trial.dealings, budgets, seeds, trial.test_fraction, default_costs(found.kind))
        weights = os.environ.get("PRELABEL_WEIGHTS_DIR")
        settings = Settings(data_dir=Path(folder) / "data", weights_dir=Path(weights) if weights else None)
        try:
            runs = list(simulate(settings, found, plan))
        except InvalidRequest as error:
            return [], f"{read}. {error}"
    figures = [figure for summary in summarise(runs) for figure in _figures(name, summary)]
    if trial.rounds:
        figures += _rounds(name, found, runs)
    notes = " ".join(dict.fromkeys(note for run in runs for note in run.notes if found.kind is Kind.CROWD))
    return figures, f"{read}, simulated in {time.perf_counter() - began:.0f} s. {notes}".strip()


def _figures(name: str, summary: Summary) -> list[Figure]:
    metric, seeds = summary.metric, summary.seeds
    between = f"{metric.low:.2f} to {metric.high:.2f} ({spread(seeds)} of {seeds}); " if seeds > 1 else ""
    how = (
        f"{between}actions {summary.actions_manual.middle:.0f} to "
        f"{summary.actions_assisted.middle:.0f}, seconds {summary.seconds_manual.middle:.0f} to "
        f"{summary.seconds_assisted.middle:.0f} at assumed costs; trained in {summary.train_seconds.middle:.1f} s"
    )
    what = f"{summary.strategy}, {summary.budget} labelled"
    right = Figure(name, f"{what}, right as shown in the last step", 100 * summary.step_label_efficiency.middle, "%")
    return [Figure(name, f"{what}, {summary.metric_name}", metric.middle, "", None, how), right]


def _rounds(name: str, found: LabelledSet, runs: Sequence[Run]) -> list[Figure]:
    """What the rounds over a video are judged by: instances that needed an action although proposals were shown, which
    frames that are labelled blind to judge by have none of. Beside it, how many there were that nobody could have seen.
    """
    control = parse_config(found.config).controls[0]
    figures = []
    for number, (before, run) in enumerate(pairwise(runs), 1):
        frames = found.tasks[before.budget : run.budget]
        boxes: list[Any] = [CONVERTERS[control.tag].decode(control, truth(found.kind, task)) for task in frames]
        hidden = [share >= HIDDEN for frame in boxes for share in covered(frame)]
        left = 100 * (1 - run.metrics["step_shown_label_efficiency"])
        whole = 100 * (1 - run.metrics["step_label_efficiency"])
        note = (
            f"of {len(hidden)}; {100 * sum(hidden) / max(len(hidden), 1):.0f} % stand behind somebody nearer by "
            f"{HIDDEN:.0%} or more; with frames labelled blind {whole:.1f} %"
        )
        what = f"instances of frames {before.budget + 1} to {run.budget} that needed an action"
        limit = NOT_FOUND if number == 1 else WORK_LEFT if number == len(runs) - 1 else None
        figures.append(Figure(name, what, left, "%", limit, note))
    return figures


def covered(boxes: Sequence[Box]) -> list[float]:
    """For each box of a frame, the largest share of it that lies within the box of somebody nearer."""

    def share(box: Box, other: Box) -> float:
        across = min(box.right, other.right) - max(box.left, other.left)
        down = min(box.bottom, other.bottom) - max(box.top, other.top)
        return max(across, 0) * max(down, 0) / ((box.right - box.left) * (box.bottom - box.top))

    return [max((share(box, one) for one in boxes if one.bottom > box.bottom), default=0.0) for box in boxes]


def _named(name: str, quick: bool) -> tuple[list[Figure], str]:
    """The same in a process of its own, which no trial could be sent to."""
    return measure(name, TRIALS[name], quick)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look at whether it works; nothing is written")
    parser.add_argument("--only", action="append", choices=list(TRIALS), help="one set; may be given several times")
    wishes = parser.parse_args()
    names = wishes.only or list(TRIALS)
    began = time.perf_counter()
    figures: list[Figure] = []
    facts: list[str] = []
    bound_threads(1)
    with ProcessPoolExecutor(available(), get_context("spawn")) as processes:
        for measured, sentence in processes.map(_named, names, [wishes.quick] * len(names)):
            print(sentence, flush=True)
            if measured:
                print(text_table(measured), flush=True)
            figures += measured
            facts.append(sentence)
    if not wishes.quick:
        minutes = (time.perf_counter() - began) / 60
        command = f"Command: `python -m tests.benchmarks.simulate`, {minutes:.1f} minutes."
        append_results(RESULTS, "What would be saved (simulated)", [command, SIMULATED, *describe(), *facts], figures)


if __name__ == "__main__":
    main()
