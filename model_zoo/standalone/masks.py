"""Masks as exported models answer them: COCO's run lengths, which its tools read."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_zoo.masks import Bits, pixels
from model_zoo.types import Mask


def packed(mask: Mask) -> dict[str, Any]:
    """`size` is height and width, `counts` the run lengths."""
    return {"size": [mask.height, mask.width], "counts": run_lengths(pixels(mask))}


def run_lengths(mask: Bits) -> list[int]:
    """How many pixels follow each other that are none of the object's, then that are, and so on, column by column:
    https://github.com/cocodataset/cocoapi/blob/master/PythonAPI/pycocotools/mask.py"""
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0))
    return [int(count) for count in np.diff(np.concatenate([[0], changes, [len(flat)]]))]
