"""The part of `tests.benchmarks.interactive` that draws boxes: the others like one, and loose ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from PIL import Image

from backend.converters.geometry import in_pixels, read_rectangle
from model_zoo.boxes import as_array, overlaps
from model_zoo.interactive.prompts import window
from model_zoo.types import Box
from tests.benchmarks.asking import Asker, config, drawn
from tests.benchmarks.clicking import Object, instances, uncounted
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.shared_data import shared

LOOSE = 0.15
"""Of the sides, by which boxes are too large on each."""
IN_TIME = 2000.0
"""Milliseconds of an answer on an image that nothing is known of."""
RIGHT = 0.5
"""Overlap from which on a box is the true one."""


def by_example(asker: Asker, called: str, quick: bool, part: str = "val2017") -> Iterator[Figure]:
    """One object of an image is given under a name that says nothing (what is alike is to be seen, not read), and the
    others of its class are to be found; images with three and more. On small ones and crowds nothing is judged, though
    the first of the two precisions counts boxes around them as wrong."""
    folder = shared("coco_mini")
    objects, beside = list(instances(folder, part)), uncounted(folder, part)
    right = shown = wanted = ignored = 0
    times: list[float] = []
    images = [list(group) for _, group in groupby(objects, key=lambda one: one.image)][:: 3 if quick else 1]
    for number, group in enumerate(images):
        for name, same in groupby(sorted(group, key=lambda one: one.called), key=lambda one: one.called):
            boxes = [Box(*map(float, place), name) for one in same if (place := window(one.mask)) is not None]
            if len(boxes) < 3:
                continue
            image = group[0].image
            with Image.open(image) as opened:
                size = opened.size
            xml, sent = config("similar-boxes", called), [drawn(boxes[0], called, size)]
            found = asker.ask(xml, {"image": str(image)}, sent, 10_000 + number)
            times.append(asker.last)
            answers = [in_pixels(one, *size) for region in found[1:] if (one := read_rectangle(region, name))]
            good = matched(answers, boxes[1:])
            wrong = [one for one, is_good in zip(answers, good, strict=True) if not is_good]
            right += sum(good)
            shown += len(answers)
            wanted += len(boxes) - 1
            ignored += sum(_is_on(one, beside.get((image, name), ())) for one in wrong)
    if wanted:
        note = f"{len(times)} examples, {wanted} others, {part}"
        yield Figure("box by example", "precision, small ones wrong", right / max(shown, 1), "", None, note)
        yield Figure("box by example", "precision", right / max(shown - ignored, 1), "", None, note)
        yield Figure("box by example", "recall", right / wanted, "", None, note)
        yield Figure("box by example", "answer, 95 of 100", percentile(times, 0.95), "ms", IN_TIME, note)


def matched(found: Sequence[Box], true: Sequence[Box]) -> list[bool]:
    """Which are right: each true box is found at most once."""
    table = overlaps(as_array(found), as_array(true))
    good = [False] * len(found)
    while table.size and table.max() >= RIGHT:
        row, column = np.unravel_index(int(table.argmax()), table.shape)
        table[row], table[:, column] = 0, 0
        good[int(row)] = True
    return good


def _is_on(box: Box, others: Sequence[Box]) -> bool:
    """Whether half of the box, or of what both cover, is one of the others'."""
    for other in others:
        wide = min(box.right, other.right) - max(box.left, other.left)
        tall = min(box.bottom, other.bottom) - max(box.top, other.top)
        inner = max(wide, 0) * max(tall, 0)
        if inner >= RIGHT * (box.right - box.left) * (box.bottom - box.top):
            return True
    return bool(others) and float(overlaps(as_array([box]), as_array(others)).max()) >= RIGHT


def tightening(asker: Asker, objects: Sequence[Object]) -> Iterator[Figure]:
    """Boxes that are too large on each side."""
    before, after, times = [], [], []
    for number, one in enumerate(objects):
        place = window(one.mask)
        if place is None:
            continue
        size = one.mask.shape[1], one.mask.shape[0]
        true = Box(*map(float, place), one.called)
        wide, tall = LOOSE * (true.right - true.left), LOOSE * (true.bottom - true.top)
        edges = max(true.left - wide, 0), max(true.top - tall, 0)
        loose = Box(*edges, min(true.right + wide, size[0]), min(true.bottom + tall, size[1]), one.called)
        xml, sent = config("tight-boxes", one.called), [drawn(loose, one.called, size)]
        found = asker.ask(xml, {"image": str(one.image)}, sent, 20_000 + number)
        times.append(asker.last)
        tight = read_rectangle(found[0], "") if found else None
        result = in_pixels(tight, *size) if tight is not None else loose
        before.append(float(overlaps(as_array([loose]), as_array([true]))[0, 0]))
        after.append(float(overlaps(as_array([result]), as_array([true]))[0, 0]))
    note = f"{len(after)} boxes, {100 * LOOSE:g} % too large on each side"
    yield Figure("tighten", "overlap of the loose box, mean", float(np.mean(before)), "", None, note)
    yield Figure("tighten", "overlap of the answer, mean", float(np.mean(after)), "", None, note)
    yield Figure("tighten", "answer, 95 of 100", percentile(times, 0.95), "ms", IN_TIME, note)
