"""Augmented views of labelled images with what each cell of them is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.masks import picture
from model_zoo.object_detection.cache import decoded
from model_zoo.object_detection.pixels import GREY, Pixels, resize
from model_zoo.object_detection.views import Augmentation, recoloured
from model_zoo.semantic_segmentation.network import CELL
from model_zoo.types import LabelSpace, SegmentationExample

UNKNOWN = -1
"""The class of a cell of which nobody says anything, or that lies outside of the image."""
Classes = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Drawn:
    """A decoded training image: `pixels` (h, w, 3), what they are (h, w), and the size (width, height) of the upright
    original."""

    pixels: Pixels
    classes: Classes
    size: tuple[int, int]


@dataclass(frozen=True)
class View:
    """A square picture of `image`, the number of the image that it shows: `pixels` (side, side, 3) and what its cells
    are (side / 2, side / 2). `scale`, `left` and `top` say where in it the image lies, as of `Fitted`."""

    pixels: Pixels
    classes: Classes
    image: int
    plain: bool
    scale: float
    left: float
    top: float


def drawn(
    examples: Sequence[SegmentationExample], labels: LabelSpace, background: bool, side: int, check: Callable[[], None]
) -> list[Drawn]:
    """The images decoded, no larger than training needs them. What nobody painted is a class by itself, after those of
    the labels, where it is `background`. Raises `UnreadableInput`."""
    made = []
    for example in examples:
        check()
        pixels, _ = decoded(example.item, side)
        classes = picture(example.map.masks, labels.names, (pixels.shape[1], pixels.shape[0]))
        if background:
            classes[classes == UNKNOWN] = len(labels)
        made.append(Drawn(pixels, classes, (example.map.width, example.map.height)))
    return made


def views(images: Sequence[Drawn], each: int, side: int, how: Augmentation, seed: int) -> list[View]:
    """`each` views of each image, the first of them plain."""
    random = np.random.default_rng(seed)
    made = []
    for number, image in enumerate(images):
        made.append(plain(image, number, side))
        made += [_augmented(image, number, side, how, random) for _ in range(each - 1)]
    return made


def plain(image: Drawn, number: int, side: int) -> View:
    """The image as it is, fitted into a square."""
    height, width = image.pixels.shape[:2]
    scale = side / max(height, width)
    left, top = (side - round(width * scale)) // 2, (side - round(height * scale)) // 2
    return _warped(image, number, side, scale, (left, top), True)


def _augmented(image: Drawn, number: int, side: int, how: Augmentation, random: np.random.Generator) -> View:
    height, width = image.pixels.shape[:2]
    scale = side / max(height, width) * float(np.exp(random.uniform(-0.5, 1) * np.log(how.zoom)))
    offset = []
    for length in (width, height):
        spare = side - length * scale
        # Where the image is larger than the frame, any part of it may be seen.
        anywhere = spare / 2 if spare >= 0 else spare * random.random()
        offset.append(anywhere + random.uniform(-1, 1) * how.shift * max(spare, 0))
    made = _warped(image, number, side, scale, (offset[0], offset[1]), False)
    pixels, classes = recoloured(made.pixels, how.colour, random), made.classes
    if how.mirror and random.random() < 0.5:
        pixels, classes = np.ascontiguousarray(pixels[:, ::-1]), np.ascontiguousarray(classes[:, ::-1])
    return View(pixels, classes, number, False, made.scale, made.left, made.top)


def _warped(image: Drawn, number: int, side: int, scale: float, offset: tuple[float, float], is_plain: bool) -> View:
    """Scaled and moved into a square frame."""
    import cv2

    tall, wide = image.pixels.shape[:2]
    # Shrinking far in one step would skip pixels.
    inner = (max(round(wide * scale), 1), max(round(tall * scale), 1))
    small = resize(image.pixels, inner) if scale < 1 else image.pixels
    left = 1.0 if scale < 1 else scale
    pixels = cv2.warpAffine(
        np.ascontiguousarray(small),
        np.array([[left, 0, offset[0]], [0, left, offset[1]]], np.float32),
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderValue=(GREY, GREY, GREY),
    )
    classes = _sampled(image.classes, side // CELL, scale, offset)
    return View(np.ascontiguousarray(pixels, np.uint8), classes, number, is_plain, scale, *offset)


def _sampled(classes: Classes, cells: int, scale: float, offset: tuple[float, float]) -> Classes:
    """What lies under the centres of so many cells a side; unknown outside of the image."""
    places = []
    for axis, length in ((0, classes.shape[1]), (1, classes.shape[0])):
        place = np.floor(((np.arange(cells) + 0.5) * CELL - offset[axis]) / scale).astype(np.int64)
        places.append((np.clip(place, 0, length - 1), (place >= 0) & (place < length)))
    (across, within_across), (down, within_down) = places
    found = classes[np.ix_(down, across)]
    found[~(within_down[:, None] & within_across[None])] = UNKNOWN
    return found
