"""Augmented views of labelled images: mirrored, scaled, moved, recoloured, and four to a mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from model_zoo.object_detection.marks import Marks
from model_zoo.object_detection.pixels import GREY, Pixels, resize
from model_zoo.types import FloatArray

VISIBLE = 0.25
"""Share of a box's area that a view must show, else the object is not counted as one."""


@dataclass(frozen=True)
class Picture:
    """A decoded training image: `pixels` (h, w, 3) with `boxes` (n, 4) in these pixels and `labels` (n,).

    `objects` (h, w), where masks are known: 0 where no object is, else 1 plus the number of its box. `marks` are the
    points of its objects, where they have some.
    """

    pixels: Pixels
    boxes: FloatArray
    labels: npt.NDArray[np.int64]
    objects: npt.NDArray[np.uint16] | None = None
    marks: Marks | None = None


@dataclass(frozen=True)
class Augmentation:
    """How far views may differ from their image. `zoom` is the largest factor of enlarging or shrinking, `shift` the
    largest move as a share of the side, `mosaic` the share of views made of four images, `colour` the strength of
    changes of hue, saturation and brightness, 1 being Ultralytics' own. `turn` is the largest turn in degrees; `pairs`
    says for each point of an object which one takes its place in a mirror, where that is not itself."""

    zoom: float = 1.5
    shift: float = 0.1
    mosaic: float = 0.25
    colour: float = 1.0
    mirror: bool = True
    turn: float = 0.0
    pairs: tuple[int, ...] = ()


def view(pictures: Sequence[Picture], index: int, side: int, how: Augmentation, random: np.random.Generator) -> Picture:
    """One view of `pictures[index]`, square, of that side."""
    if random.random() < how.mosaic and len(pictures) > 0:
        others = random.integers(0, len(pictures), 3)
        return _coloured(_mosaic([pictures[index], *(pictures[at] for at in others)], side, how, random), how, random)
    return _coloured(_placed(pictures[index], side, side, how, random), how, random)


def plain(picture: Picture, side: int) -> Picture:
    """The image as it is, fitted into a square."""
    height, width = picture.pixels.shape[:2]
    scale = side / max(height, width)
    return _warped(picture, scale, ((side - width * scale) / 2, (side - height * scale) / 2), (side, side))


def _placed(picture: Picture, width: int, height: int, how: Augmentation, random: np.random.Generator) -> Picture:
    """The image in a frame, zoomed and moved; where it is larger than the frame, a part of it that shows an object."""
    tall, wide = picture.pixels.shape[:2]
    scale = min(width / wide, height / tall) * float(np.exp(random.uniform(-1, 1) * np.log(how.zoom)))
    offset = []
    centre = picture.boxes[random.integers(len(picture.boxes))].reshape(2, 2).mean(0) if len(picture.boxes) else None
    for axis, (frame, length) in enumerate(((width, wide), (height, tall))):
        spare = frame - length * scale
        place = spare / 2 + random.uniform(-1, 1) * how.shift * frame
        if spare < 0 and centre is not None:
            place = (
                float(np.clip(frame / 2 - centre[axis] * scale, spare, 0)) + random.uniform(-1, 1) * how.shift * frame
            )
        offset.append(place)
    mirror = how.mirror and random.random() < 0.5
    angle = random.uniform(-how.turn, how.turn) if how.turn else 0.0
    made = _warped(picture, scale, (offset[0], offset[1]), (width, height), angle)
    return _mirrored(made, how.pairs) if mirror else made


def _mosaic(four: Sequence[Picture], side: int, how: Augmentation, random: np.random.Generator) -> Picture:
    across, down = (int(side * random.uniform(0.35, 0.65)) for _ in range(2))
    tiles = [
        (0, 0, across, down),
        (across, 0, side - across, down),
        (0, down, across, side - down),
        (across, down, side - across, side - down),
    ]
    canvas = np.full((side, side, 3), GREY, np.uint8)
    boxes, labels, marks = [], [], []
    known = four[0].objects is not None
    objects, before = np.zeros((side, side), np.uint16), 0
    for picture, (left, top, width, height) in zip(four, tiles, strict=True):
        part = _placed(picture, width, height, how, random)
        canvas[top : top + height, left : left + width] = part.pixels
        boxes.append(part.boxes + np.array([left, top, left, top], np.float32))
        labels.append(part.labels)
        if part.objects is not None:
            objects[top : top + height, left : left + width] = np.where(part.objects > 0, part.objects + before, 0)
        before += len(part.boxes)
        marks += [part.marks.moved(np.array([[1, 0, left], [0, 1, top]]))] if part.marks else []
    joined = Marks.join(marks) if marks else None
    return Picture(canvas, np.concatenate(boxes), np.concatenate(labels), objects if known else None, joined)


def _warped(
    picture: Picture, scale: float, offset: tuple[float, float], frame: tuple[int, int], angle: float = 0.0
) -> Picture:
    """Scaled and moved into a frame of (width, height), then turned about its middle."""
    import cv2

    width, height = frame
    tall, wide = picture.pixels.shape[:2]
    # Shrinking far in one step would skip pixels.
    inner = (max(round(wide * scale), 1), max(round(tall * scale), 1))
    small = resize(picture.pixels, inner) if scale < 0.5 else picture.pixels
    left = scale if scale >= 0.5 else 1.0
    matrix = np.array([[left, 0, offset[0]], [0, left, offset[1]]], np.float32)
    place = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    if angle:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        matrix, place = _after(turn, matrix), _after(turn, place)
    pixels = cv2.warpAffine(
        np.ascontiguousarray(small), matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY)
    )
    marks = picture.marks.moved(place) if picture.marks else None
    boxes = _moved(picture.boxes, place) if marks is None else marks.frames(_moved(picture.boxes, place))
    whole = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(1), 1e-6)
    boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32)).astype(np.float32)
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = (sides.min(axis=1, initial=np.inf) >= 2) & (sides.prod(1) >= VISIBLE * whole)
    objects = None
    if picture.objects is not None:
        moved = cv2.warpAffine(picture.objects, place, (width, height), flags=cv2.INTER_NEAREST, borderValue=0)
        renumbered = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)]).astype(np.uint16)
        objects = renumbered[np.asarray(moved)]
    shown = marks.within(width, height).of(kept) if marks else None
    return Picture(np.ascontiguousarray(pixels, np.uint8), boxes[kept], picture.labels[kept], objects, shown)


def _mirrored(picture: Picture, pairs: tuple[int, ...]) -> Picture:
    width = picture.pixels.shape[1]
    boxes = picture.boxes
    boxes = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    objects = np.ascontiguousarray(picture.objects[:, ::-1]) if picture.objects is not None else None
    marks = picture.marks.mirrored(width, pairs) if picture.marks else None
    pixels = np.ascontiguousarray(picture.pixels[:, ::-1])
    return replace(picture, pixels=pixels, boxes=boxes, objects=objects, marks=marks)


def _after(second: Any, first: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The matrix (2, 3) of one movement after another."""
    both: npt.NDArray[Any] = np.asarray(second, np.float64) @ np.vstack([first, [0, 0, 1]])
    return both


def _moved(boxes: FloatArray, matrix: npt.NDArray[np.floating]) -> FloatArray:
    """The upright boxes around moved ones."""
    corners = boxes[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2) @ matrix[:, :2].T + matrix[:, 2]
    upright: FloatArray = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)
    return upright


def _coloured(picture: Picture, how: Augmentation, random: np.random.Generator) -> Picture:
    return replace(picture, pixels=recoloured(picture.pixels, how.colour, random))


def recoloured(pixels: Pixels, strength: float, random: np.random.Generator) -> Pixels:
    """Hue, saturation and brightness changed, as Ultralytics does by default."""
    import cv2

    gains = 1 + random.uniform(-1, 1, 3) * np.array([0.015, 0.7, 0.4]) * strength
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    steps = np.arange(256)
    tables = ((steps * gains[0]) % 180, np.clip(steps * gains[1], 0, 255), np.clip(steps * gains[2], 0, 255))
    turned = np.dstack([table.astype(np.uint8)[hsv[..., channel]] for channel, table in enumerate(tables)])
    return np.asarray(cv2.cvtColor(turned, cv2.COLOR_HSV2RGB), np.uint8)
