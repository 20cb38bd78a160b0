"""What a person points at, and what an engine makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""RGB of shape (height, width, 3), upright."""
Mask = npt.NDArray[np.bool_]
"""Of shape (height, width) of the image."""
Point = tuple[float, float]
"""Across and down, in pixels of the upright image."""
Corners = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of the upright image."""


@dataclass(frozen=True)
class Prompt:
    """Points that the object covers, points that it does not, and a box around it; `called` is what its label is
    called in words, lower case."""

    positives: tuple[Point, ...] = ()
    negatives: tuple[Point, ...] = ()
    box: Corners | None = None
    called: frozenset[str] = frozenset()

    @property
    def says_something(self) -> bool:
        """Whether there is an object to look for: negative points alone name none."""
        return bool(self.positives) or self.box is not None


@dataclass(frozen=True)
class Masked:
    """An object's mask with the engine's confidence in it, in [0, 1]."""

    mask: Mask
    confidence: float


class Engine(Protocol):
    """Answers prompts. What it computes of an image alone (`features`) is kept by the caller between two clicks, and
    may be lost at any time."""

    @property
    def name(self) -> str: ...

    def features(self, pixels: Pixels) -> Any:
        """What every answer on this image needs; the slow part. Picklable is not asked of it."""

    def nbytes(self, features: Any) -> int:
        """Memory that such features take."""

    def mask(self, pixels: Pixels, features: Any, prompt: Prompt) -> Masked | None:
        """The object that the prompt means; None where this engine finds none, and another should be asked."""


def inside(points: tuple[Point, ...], width: int, height: int) -> tuple[Point, ...]:
    """The points that lie within the image."""
    return tuple((x, y) for x, y in points if 0 <= x < width and 0 <= y < height)


def window(mask: Mask) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what is set; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
