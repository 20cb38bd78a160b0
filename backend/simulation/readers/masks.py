"""Masks as images: `images/` beside `masks/`, a mask for each image under the same stem."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from backend.simulation.labelled import Found, Kind, LabelledSet
from backend.simulation.masks import Mask, box_of
from backend.simulation.readers.files import address, images_below, size_of
from backend.simulation.readers.options import MaskValues, Options
from backend.simulation.regions import boxes, masks

OBJECT = "object"
"""What instances are called: a mask names no class for them."""


def read(path: Path, options: Options) -> LabelledSet:
    found = Found(options.kind, path)
    known = {mask.stem: mask for mask in images_below(path / "masks")} if (path / "masks").is_dir() else {}
    images = images_below(path / "images") if (path / "images").is_dir() else []
    for image in images:
        file = known.pop(image.stem, None)
        if file is None:
            found.problem(image, "it has no mask.")
            continue
        _pair(found, image, file, options)
    for mask in known.values():
        found.problem(mask, "it has no image.")
    return found.close()


def _pair(found: Found, image: Path, file: Path, options: Options) -> None:
    size = size_of(found, image)
    values = _values(found, file)
    if size is None or values is None:
        return
    if values.shape != size[::-1]:
        found.problem(file, f"it is {values.shape[1]} x {values.shape[0]} pixels, its image {size[0]} x {size[1]}.")
        return
    parts = list(_parts(found, values, options.mask_values))
    if options.kind is Kind.OBJECT_DETECTION:
        around = [box for mask, name in parts if (box := box_of(mask, name)) is not None]
        found.add(address(found, image), boxes(around, size))
    else:
        found.add(address(found, image), masks(parts, size))


def _parts(found: Found, values: npt.NDArray[np.int64], meaning: MaskValues) -> Iterator[tuple[Mask, str]]:
    for number in np.unique(values).tolist():
        if number:
            yield values == number, found.name(str(number) if meaning is MaskValues.CLASS else OBJECT)


def _values(found: Found, file: Path) -> npt.NDArray[np.int64] | None:
    """The mask's numbers, of shape (height, width): grey values, or indices of a palette."""
    try:
        with Image.open(file) as opened:
            if opened.mode not in ("L", "P", "1", "I", "I;16"):
                found.problem(file, f"wanted one number a pixel (grey, or a palette), got the mode {opened.mode}.")
                return None
            return np.asarray(opened).astype(np.int64)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        found.problem(file, f"it cannot be read: {error}.")
        return None
