"""MOTChallenge: frames in `img1/`, boxes in `gt/gt.txt`. Each frame is a task.

A line is frame, track, left, top, width, height, flag, and since 2016 class and visibility. A flag of 0 asks to leave
the line out. https://motchallenge.net/instructions/
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

from backend.simulation.labelled import Found, LabelledSet
from backend.simulation.readers.files import address, first_of, images_below, size_of, text_of
from backend.simulation.readers.options import Options
from backend.simulation.regions import boxes
from model_zoo.types import Box

CLASSES = {
    1: "pedestrian", 2: "person on vehicle", 3: "car", 4: "bicycle", 5: "motorbike", 6: "non motorized vehicle",
    7: "static person", 8: "distractor", 9: "occluder", 10: "occluder on the ground", 11: "occluder full",
    12: "reflection", 13: "crowd",
}  # fmt: skip
"""Of MOT16 and later. Before, everything was a pedestrian."""


def read(path: Path, options: Options) -> LabelledSet:
    found = Found(options.kind, path)
    truth = first_of((path / "gt" / "gt.txt", path / "gt.txt"))
    if truth is None:
        found.problem(path / "gt" / "gt.txt", "it is not there.")
        return found.close()
    known = _boxes(found, truth)
    frames = images_below(path / "img1") if (path / "img1").is_dir() else images_below(path)
    for frame in frames:
        size = size_of(found, frame)
        if size is None:
            continue
        if not frame.stem.isdecimal():
            found.problem(frame, "its name is no number of a frame.")
            continue
        found.add(address(found, frame), boxes(known.pop(int(frame.stem), []), size))
    for number in sorted(known):
        found.problem(truth, f"frame {number} has boxes and no image.")
    return found.close(sequential=True)


def _boxes(found: Found, truth: Path) -> dict[int, list[Box]]:
    known: dict[int, list[Box]] = defaultdict(list)
    for line, text in enumerate((text_of(found, truth) or "").splitlines(), 1):
        if not text.strip():
            continue
        try:
            numbers = [float(part) for part in text.split(",")]
            frame, _, left, top, width, height, flag = numbers[:7]
        except ValueError:
            found.problem(truth, f'wanted seven numbers or more with commas between, got "{text[:80]}".', line)
            continue
        if not all(map(math.isfinite, numbers)) or width <= 0 or height <= 0:
            found.problem(truth, f'the box has no area: "{text[:80]}".', line)
            continue
        name = CLASSES.get(int(numbers[7]), f"class {int(numbers[7])}") if len(numbers) > 8 else CLASSES[1]
        if flag != 0:
            known[int(frame)].append(Box(left, top, left + width, top + height, found.name(name)))
    return known
