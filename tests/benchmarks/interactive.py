"""How fast and how well clicks, boxes and selections are answered: `python -m tests.benchmarks.interactive [--quick]`

What is measured is the backend's whole answer to what Label Studio's page sends (image read, engine, region drawn and
validated), without HTTP and the page itself; the time of reading the answer back is not counted. Clicks are simulated:
each next one at the centre of the largest error. Per engine on `seg_pennfudan` and on the instances of `coco_mini`.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backend.converters.geometry import in_pixels, read_rectangle
from backend.interactive.assistant import Assistant
from backend.interactive.ready import READY
from backend.interactive.spans import propose
from backend.serving.inputs import InputReader
from backend.settings import Settings
from model_zoo.boxes import as_array, overlaps
from model_zoo.interactive.prompts import Mask, window
from model_zoo.types import Box
from tests.benchmarks.clicking import GOOD, Click, Clicked, Object, click, instances, pedestrians
from tests.benchmarks.figures import Figure, append_results, median, percentile, text_table
from tests.benchmarks.machine import describe
from tests.benchmarks.shared_data import shared

RESULTS = Path(__file__).with_name("RESULTS.md")
CLICKS = 5
SEEN_PEOPLE, SEEN_THINGS = 3, 12
UID = "1.1795149789"
FIRST, NEXT, ONE_CLICK, SPANS = 2000.0, 300.0, 0.70, 100.0
"""To reach: milliseconds of a first and a further answer, overlap after one click, milliseconds of proposing spans."""
NAMELESS = "thing 7"
Region = dict[str, Any]


class Files:
    """Media that are files."""

    def fetch(self, url: str, *, task_id: int | None = None) -> Path:
        return Path(url)

    def fetch_text(self, url: str, *, task_id: int | None = None) -> str:
        return Path(url).read_text()

    def forget(self, url: str, *, task_id: int | None = None) -> None:
        """They stay what they are."""


@contextmanager
def assistant(weights: Path | None) -> Iterator[Assistant]:
    """One with the engines that this folder has weights for; None: the floor alone."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = InputReader(Files())
        made = Assistant(inputs, Settings(data_dir=Path(folder), weights_dir=weights))
        try:
            yield made
        finally:
            made.close()
            inputs.close()


def config(name: str, called: str) -> str:
    """The ready config, its first label called as the object is."""
    xml = READY[name].xml
    for first, second in (("Person", "Car"), ("Car", "Sign")):
        if f'value="{second}"' in xml and f'value="{first}"' in xml:
            return xml.replace(f'value="{first}"', f'value="{called}"').replace(f'value="{second}"', 'value="rest"')
    return xml


def dots(clicks: Sequence[Click], called: str, size: tuple[int, int]) -> list[Region]:
    """What the page sends for clicks on an image of that width and height."""
    return [
        {
            "id": f"click{number:05d}",
            "from_name": "click",
            "to_name": "image",
            "type": "keypointlabels",
            "is_positive": positive,
            "original_width": size[0],
            "original_height": size[1],
            "value": {"x": x / size[0] * 100, "y": y / size[1] * 100, "width": 0.5, "keypointlabels": [called]},
        }
        for number, ((x, y), positive) in enumerate(clicks)
    ]


def bitmap(region: Region) -> Mask:
    content = base64.b64decode(region["value"]["imageDataURL"].partition(",")[2])
    with Image.open(io.BytesIO(content)) as opened:
        return np.asarray(opened.convert("RGBA"))[..., 3] > 127


def clicked(helper: Assistant, objects: Sequence[Object]) -> tuple[list[Clicked], list[float]]:
    """Each object's story, and the milliseconds of the first answer on each image, which nothing was prepared for."""
    stories: list[Clicked] = []
    firsts: list[float] = []
    for number, (image, group) in enumerate(groupby(objects, key=lambda one: one.image)):
        task = {"id": number, "data": {"image": str(image)}}
        for place, one in enumerate(group):
            xml = config("bitmasks", one.called)
            size = one.mask.shape[1], one.mask.shape[0]
            seconds: list[float] = []

            def answer(
                clicks: Sequence[Click],
                xml: str = xml,
                one: Object = one,
                task: dict[str, Any] = task,
                size: tuple[int, int] = size,
                seconds: list[float] = seconds,
            ) -> Mask | None:
                begun = time.perf_counter()
                found = helper.answer(UID, xml, task, {"result": dots(clicks, one.called, size)})
                seconds.append(time.perf_counter() - begun)
                return bitmap(found[0]) if found else None

            story = click(one, answer, CLICKS)
            stories.append(Clicked(story.overlaps, tuple(seconds[place == 0 :])))
            if place == 0:
                firsts.append(1000 * seconds[0])
    return stories, firsts


def click_figures(part: str, stories: Sequence[Clicked], firsts: Sequence[float], *, judged: bool) -> Iterator[Figure]:
    """Times of all; `judged` says whether the targets are this engine's."""
    later = [1000 * second for story in stories for second in story.seconds]
    note = f"{len(stories)} objects on {len(firsts)} images"
    # The first image of all loads the network, once a process.
    for name, values, limit in (("first click", firsts[1:] or firsts, FIRST), ("next click", later, NEXT)):
        yield Figure(part, f"{name}, median", median(values), "ms", None, note)
        yield Figure(part, f"{name}, 95 of 100", percentile(values, 0.95), "ms", limit if judged else None, note)
    yield Figure(part, "first click of a process", firsts[0], "ms", None, "the network is loaded")
    for number in (1, 3, 5):
        shares = [story.overlaps[number - 1] for story in stories]
        said = f"{number} click{'s' * (number > 1)}"
        # A figure's limit is the highest value that reaches the target, so what is missing of all is judged.
        target = 1 - ONE_CLICK if judged and number == 1 else None
        yield Figure(part, f"overlap that lacks after {said}, mean", 1 - float(np.mean(shares)), "", target, note)
        yield Figure(part, f"overlap after {said}, median", median(shares), "", None, "simulated clicks")
    yield Figure(part, f"clicks to {GOOD:g}, mean", float(np.mean([one.clicks for one in stories])), "", None,
                 f"{CLICKS + 1} where not reached")  # fmt: skip


def by_example(helper: Assistant, objects: Sequence[Object]) -> Iterator[Figure]:
    """One object of an image is given, and the others of its name are to be found; images with three and more."""
    right = shown = wanted = 0
    seconds = []
    for number, (image, group) in enumerate(groupby(objects, key=lambda one: one.image)):
        named = sorted(group, key=lambda one: one.called)
        for called, same in groupby(named, key=lambda one: one.called):
            boxes = [Box(*map(float, place), called) for one in same if (place := window(one.mask)) is not None]
            if len(boxes) < 3:
                continue
            with Image.open(image) as opened:
                size = opened.size
            # Under a name that says nothing: what is alike is to be seen, not read.
            xml = config("similar-boxes", NAMELESS)
            task = {"id": number, "data": {"image": str(image)}}
            begun = time.perf_counter()
            found = helper.answer(UID, xml, task, {"result": [drawn(boxes[0], NAMELESS, size)]})
            seconds.append(1000 * (time.perf_counter() - begun))
            answers = [in_pixels(one, *size) for region in found[1:] if (one := read_rectangle(region, called))]
            right += matched(answers, boxes[1:])
            shown += len(answers)
            wanted += len(boxes) - 1
    if wanted:
        note = f"{len(seconds)} examples, {wanted} others"
        yield Figure("box by example", "precision", right / max(shown, 1), "", None, note)
        yield Figure("box by example", "recall", right / wanted, "", None, note)
        yield Figure(
            "box by example", "answer, 95 of 100", percentile(seconds, 0.95), "ms", FIRST, "first on its image"
        )


def drawn(box: Box, called: str, size: tuple[int, int]) -> Region:
    """What the page sends for a drawn box."""
    value = {
        "x": box.left / size[0] * 100,
        "y": box.top / size[1] * 100,
        "width": (box.right - box.left) / size[0] * 100,
        "height": (box.bottom - box.top) / size[1] * 100,
        "rotation": 0,
        "rectanglelabels": [called],
    }
    return {
        "id": "box0000001", "from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value,
        "original_width": size[0], "original_height": size[1],
    }  # fmt: skip


def matched(found: Sequence[Box], true: Sequence[Box]) -> int:
    """How many are right: each true box is found at most once."""
    table = overlaps(as_array(found), as_array(true))
    count = 0
    while table.size and table.max() >= 0.5:
        row, column = np.unravel_index(int(table.argmax()), table.shape)
        table[row], table[:, column] = 0, 0
        count += 1
    return count


def tightening(helper: Assistant, objects: Sequence[Object]) -> Iterator[Figure]:
    """Boxes that are too large by 15 % on each side."""
    before, after, seconds = [], [], []
    for number, one in enumerate(objects):
        place = window(one.mask)
        if place is None:
            continue
        size = one.mask.shape[1], one.mask.shape[0]
        true = Box(*map(float, place), one.called)
        wide, tall = 0.15 * (true.right - true.left), 0.15 * (true.bottom - true.top)
        loose = Box(max(true.left - wide, 0), max(true.top - tall, 0), min(true.right + wide, size[0]),
                    min(true.bottom + tall, size[1]), one.called)  # fmt: skip
        xml = config("tight-boxes", one.called)
        task = {"id": number, "data": {"image": str(one.image)}}
        begun = time.perf_counter()
        found = helper.answer(UID, xml, task, {"result": [drawn(loose, one.called, size)]})
        seconds.append(1000 * (time.perf_counter() - begun))
        tight = read_rectangle(found[0], "") if found else None
        result = in_pixels(tight, *size) if tight is not None else loose
        before.append(float(overlaps(as_array([loose]), as_array([true]))[0, 0]))
        after.append(float(overlaps(as_array([result]), as_array([true]))[0, 0]))
    note = f"{len(after)} boxes, 15 % too large on each side"
    yield Figure("tighten", "overlap of the loose box, mean", float(np.mean(before)), "", None, note)
    yield Figure("tighten", "overlap of the answer, mean", float(np.mean(after)), "", None, note)
    yield Figure("tighten", "answer, 95 of 100", percentile(seconds, 0.95), "ms", FIRST, "a cold image each")


def spans(quick: bool) -> Iterator[Figure]:
    """Sentences with the entities of ner_wnut17, 10,000 characters a document; one mention of each kind is marked."""
    words = [line.split("\t")[0] for line in read_words()]
    text = " ".join(word for word in words if word)[:10_000]
    from model_zoo.runtime import shared_runtime
    from model_zoo.text_classification.minilm import MiniLM

    encoder = shared_runtime(None).encoder(MiniLM)
    encoder.encode(["warm"])
    names = [(at, at + len(word)) for word in set(words) if word[:1].isupper() and (at := text.find(word)) >= 0]
    for title, encode in (("letters alone", None), ("meaning too", encoder.encode)):
        times = []
        for place in sorted(names)[: 20 if quick else 60]:
            begun = time.perf_counter()
            propose(text, place, [], encode)
            times.append(1000 * (time.perf_counter() - begun))
        note = f"{len(text)} characters, {len(times)} marked words, nothing kept from before"
        yield Figure("spans", f"{title}, median", median(times), "ms", None, note)
        yield Figure("spans", f"{title}, 95 of 100", percentile(times, 0.95), "ms", SPANS, note)


def read_words() -> list[str]:
    file = shared("ner_wnut17") / "emerging.dev.conll"
    return file.read_text(encoding="utf-8").splitlines()


def engines(weights: Path | None) -> Iterator[tuple[str, Path | None]]:
    """What is compared: the floor alone, and everything that there are weights for."""
    if weights is not None:
        yield "proposals, then GrabCut" if not (weights / "mobile_sam.pt").exists() else "MobileSAM", weights
    yield "GrabCut alone", None


def measure(quick: bool, seeds: int = 1) -> list[Figure]:
    """All figures. `seeds` is how many draws of objects there are; nothing else is random."""
    del seeds  # every object is taken, or each of the same few
    weights = Path(os.environ["PRELABEL_WEIGHTS_DIR"]) if os.environ.get("PRELABEL_WEIGHTS_DIR") else None
    # The engines' constants were set on every third person (of 149) and every twelfth thing, and the likeness of boxes
    # on coco_mini's other half: none of these is measured here.
    people = [one for number, one in enumerate(pedestrians(shared("seg_pennfudan"))) if number % SEEN_PEOPLE]
    things = list(instances(shared("coco_mini")))
    unseen = [one for number, one in enumerate(things) if number % SEEN_THINGS]
    step = 4 if quick else 1
    figures: list[Figure] = []
    for title, folder in engines(weights):
        with assistant(folder) as helper:
            sets: Iterable[tuple[str, list[Object]]] = (
                ("seg_pennfudan", people[::step]),
                ("coco_mini", unseen[:: 4 * step]),
            )
            for name, objects in sets:
                stories, firsts = clicked(helper, objects)
                judged = folder is not None and name == "seg_pennfudan"
                figures += click_figures(f"{title} on {name}", stories, firsts, judged=judged)
    with assistant(weights) as helper:
        some = [list(group) for _, group in groupby(things, key=lambda one: one.image)][:: 3 if quick else 1]
        figures += by_example(helper, [one for group in some for one in group])
        figures += tightening(helper, people[:: 3 * step])
    figures += spans(quick)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few objects; a minute")
    parser.add_argument("--no-results", action="store_true", help="print alone, and leave RESULTS.md as it is")
    asked = parser.parse_args()
    begun = time.monotonic()
    figures = measure(asked.quick)
    print(text_table(figures))
    if not asked.no_results:
        command = f"python -m tests.benchmarks.interactive {' '.join(sys.argv[1:])}".strip()
        facts = [f"Command: `{command}`, {(time.monotonic() - begun) / 60:.1f} minutes.", *describe()]
        append_results(RESULTS, f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, interactive", facts, figures)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
