"""How fast and how well clicks, boxes and selections are answered: `python -m tests.benchmarks.interactive [--quick]`

What is measured is the time from sending what Label Studio's page sends to a running `prelabel up` over HTTP to having
read its answer; the page itself is left out. Nothing is prepared when a first click comes. Clicks are simulated: each
next one at the centre of the largest error. Per engine on `seg_pennfudan` and on the instances of `coco_mini`; the time
also while a training runs in a process of its own. The whole takes some ten minutes on two processors.

The pedestrians are labelled `person` as people would call them, which is a class of COCO's segmenter; what it does
under a name that says nothing stands beside it. The things of `coco_mini` have COCO's names by nature.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path

import numpy as np

from model_zoo.interactive.prompts import Mask
from tests.benchmarks.asking import Asker, asking, bitmap, config, dots
from tests.benchmarks.beside import training
from tests.benchmarks.clicking import GOOD, Click, Clicked, Object, click, instances, pedestrians
from tests.benchmarks.figures import Figure, append_results, median, percentile, text_table
from tests.benchmarks.interactive_boxes import by_example, tightening
from tests.benchmarks.interactive_parts import segment_anything, spans
from tests.benchmarks.machine import describe
from tests.benchmarks.shared_data import shared

RESULTS = Path(__file__).with_name("RESULTS.md")
CLICKS = 5
SEEN_PEOPLE, SEEN_THINGS = 3, 12
FIRST, NEXT, ONE_CLICK = 2000.0, 300.0, 0.70
"""To reach: milliseconds of a first and a further answer, overlap after one click."""
NAMELESS = "thing 7"


def clicked(asker: Asker, objects: Sequence[Object], called: str | None = None) -> tuple[list[Clicked], list[float]]:
    """Each object's story, and the milliseconds of the first answer on each image, which nothing was prepared for."""
    stories: list[Clicked] = []
    firsts: list[float] = []
    for number, (image, group) in enumerate(groupby(objects, key=lambda one: one.image)):
        for place, one in enumerate(group):
            name = called or one.called
            xml, size = config("bitmasks", name), (one.mask.shape[1], one.mask.shape[0])
            times: list[float] = []

            def answer(
                clicks: Sequence[Click],
                xml: str = xml,
                name: str = name,
                image: Path = image,
                task: int = number,
                size: tuple[int, int] = size,
                times: list[float] = times,
            ) -> Mask | None:
                sent = dots(clicks, name, size, f"click{len(stories):03d}")
                found = asker.ask(xml, {"image": str(image)}, sent, task)
                times.append(asker.last)
                return bitmap(found[0]) if found else None

            story = click(one, answer, CLICKS)
            later = tuple(milliseconds / 1000 for milliseconds in times[place == 0 :])
            stories.append(Clicked(story.overlaps, later))
            if place == 0:
                firsts.append(times[0])
    return stories, firsts


def times_of(part: str, stories: Sequence[Clicked], firsts: Sequence[float], *, judged: bool) -> Iterator[Figure]:
    """`judged` says whether the targets are this engine's."""
    later = [1000 * seconds for story in stories for seconds in story.seconds]
    note = f"{len(stories)} objects on {len(firsts)} images, HTTP"
    # The first image of all loads the network, once a process.
    for name, values, limit in (("first click", firsts[1:] or firsts, FIRST), ("next click", later, NEXT)):
        yield Figure(part, f"{name}, median", median(values), "ms", None, note)
        yield Figure(part, f"{name}, 95 of 100", percentile(values, 0.95), "ms", limit if judged else None, note)
    yield Figure(part, "first image of these", firsts[0], "ms", None, "a process's first loads the network")


def overlaps_of(part: str, stories: Sequence[Clicked], *, judged: bool) -> Iterator[Figure]:
    note = f"{len(stories)} objects, simulated clicks"
    for number in (1, 3, 5):
        shares = [story.overlaps[number - 1] for story in stories]
        said = f"{number} click{'s' * (number > 1)}"
        mean = float(np.mean(shares))
        yield Figure(part, f"overlap after {said}, mean", mean, "", None, note)
        if judged and number == 1:
            # A figure's limit is the highest value that reaches the target, so what is missing of all is judged.
            yield Figure(part, f"overlap that lacks after {said}, mean", 1 - mean, "", 1 - ONE_CLICK, note)
        yield Figure(part, f"overlap after {said}, median", median(shares), "", None, note)
    needed, note = [one.clicks for one in stories], f"{CLICKS + 1} where not reached"
    yield Figure(part, f"clicks to {GOOD:g}, mean", float(np.mean(needed)), "", None, note)
    yield Figure(part, f"clicks to {GOOD:g}, median", median(needed), "", None, note)
    never = float(np.mean([one.clicks > CLICKS for one in stories]))
    yield Figure(part, f"{GOOD:g} not reached", 100 * never, "%", None, f"of {len(stories)} objects")


def engines(weights: Path | None) -> Iterator[tuple[str, Path | None]]:
    """What is compared: everything that there are weights for, and the floor alone."""
    if weights is not None:
        yield "MobileSAM" if (weights / "mobile_sam.pt").exists() else "proposals, then GrabCut", weights
    yield "GrabCut alone", None


def measure(quick: bool) -> list[Figure]:
    """All figures."""
    weights = Path(os.environ["PRELABEL_WEIGHTS_DIR"]) if os.environ.get("PRELABEL_WEIGHTS_DIR") else None
    # The engines' constants were set on every third person (of 149) and every twelfth thing, and the likeness of boxes
    # on coco_mini's other half: none of these is measured here.
    people = [one for number, one in enumerate(pedestrians(shared("seg_pennfudan"))) if number % SEEN_PEOPLE]
    things = [one for number, one in enumerate(instances(shared("coco_mini"))) if number % SEEN_THINGS]
    people, things = people[:: 8 if quick else 1], things[:: 24 if quick else 4]
    root = shared("seg_pennfudan").parent
    figures: list[Figure] = []
    for title, folder in engines(weights):
        with asking(folder, root) as asker:
            for name, objects in (("seg_pennfudan", people), ("coco_mini", things)):
                judged = folder is not None and name == "seg_pennfudan"
                found = clicked(asker, objects)
                figures += times_of(f"{title} on {name}", *found, judged=judged or folder is not None)
                figures += overlaps_of(f"{title} on {name}", found[0], judged=judged)
            if folder is not None:
                stories, _ = clicked(asker, people[1::3], NAMELESS)
                figures += overlaps_of(
                    f"{title} on seg_pennfudan, under a name that says nothing", stories, judged=False
                )
                figures += by_example(asker, NAMELESS, quick)
                figures += tightening(asker, people[::3])
                figures += spans(asker, quick)
                figures += beside(title, asker, (("seg_pennfudan", people[::3]), ("coco_mini", things[::3])))
    figures += segment_anything(quick)
    return figures


def beside(title: str, asker: Asker, sets: Sequence[tuple[str, Sequence[Object]]]) -> Iterator[Figure]:
    """The times while something learns, on images that the server has forgotten."""
    with training():
        for name, objects in sets:
            found = clicked(replace(asker, suffix="?again"), objects)
            yield from times_of(f"{title} on {name}, beside a training", *found, judged=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few objects; two minutes")
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
