"""Labelled images for the benchmark of keypoints: frames of a mouse, and people."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass

import numpy as np

from model_zoo.types import Box, Item, Keypoint, LabelSpace, Pose, PoseExample
from tests.benchmarks.shared_data import shared

HELD_OUT = 40
"""Frames of the mouse that are never trained on, the same in every run."""


@dataclass(frozen=True)
class Split:
    """`pool` is drawn from to train; `test` is held out."""

    name: str
    labels: LabelSpace
    pool: list[PoseExample]
    test: list[PoseExample]

    def draw(self, count: int, seed: int) -> list[PoseExample]:
        order = np.random.default_rng(seed).permutation(len(self.pool))
        return [self.pool[at] for at in order[:count]]


def mouse() -> Split:
    """One mouse a frame, four points, all of them seen; nobody drew a box."""
    folder = shared("kpt_mouse")
    with next(folder.glob("*.csv")).open(newline="") as stream:
        rows = list(csv.reader(stream))
    names = tuple(dict.fromkeys(rows[1][1:]))
    examples = []
    for row in rows[3:]:
        numbers = [float(cell) for cell in row[1:]]
        points = tuple(Keypoint(name, *numbers[2 * at : 2 * at + 2]) for at, name in enumerate(names))
        examples.append(PoseExample(Item(folder / "images" / row[0].rsplit("/", 1)[-1]), (Pose(points),)))
    order = np.random.default_rng(1234).permutation(len(examples))
    mixed = [examples[at] for at in order]
    return Split("kpt_mouse", LabelSpace(names), mixed[HELD_OUT:], mixed[:HELD_OUT])


def people() -> Split:
    """People of COCO with 17 points in boxes, some hidden. The network was trained on COCO: what counts is not to
    spoil it, and to tell hidden points from seen ones, which it was never taught."""
    names, pool = _people("train")
    return Split("coco_mini people", LabelSpace(names, objects=("person",)), pool, _people("val")[1])


def _people(part: str) -> tuple[tuple[str, ...], list[PoseExample]]:
    folder = shared("coco_mini")
    content = json.loads((folder / "annotations" / f"person_keypoints_{part}2017.json").read_text())
    names = tuple(content["categories"][0]["keypoints"])
    poses: dict[int, list[Pose]] = {}
    for one in content["annotations"]:
        left, top, width, height = one["bbox"]
        table = np.array(one["keypoints"], float).reshape(-1, 3)
        points = tuple(
            Keypoint(name, x, y, bool(state == 2)) for name, (x, y, state) in zip(names, table, strict=True) if state
        )
        if not one["iscrowd"] and width > 0 and height > 0:
            box = Box(left, top, left + width, top + height, "person")
            poses.setdefault(one["image_id"], []).append(Pose(points, box))
    files = {path.name: path for path in folder.rglob("*.jpg")}
    examples = [
        PoseExample(Item(files[image["file_name"]]), tuple(poses.get(image["id"], ()))) for image in content["images"]
    ]
    return names, [example for example in examples if any(pose.points for pose in example.poses)]
