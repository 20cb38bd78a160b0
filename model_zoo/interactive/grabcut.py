"""GrabCut seeded by clicks, a box or a first mask: the floor that needs no weights.

Rother, Kolmogorov and Blake: "GrabCut", SIGGRAPH 2004, in OpenCV's implementation.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from model_zoo.interactive.prompts import Corners, Mask, Masked, Pixels, Point, Prompt, inside, window

Bytes = npt.NDArray[np.uint8]

LONGEST = 192
"""Pixels of the longer side of what GrabCut works on: its time grows with the area."""
ROUNDS, ROUNDS_AGAIN = 3, 2
"""Without and with a first mask."""
FIRST_RADIUS = 0.09
"""Of the longer side: around a click without a box, what is likely the object."""
REACH = 0.30
"""Of the longer side: how far from a click without a box the object may reach."""
SEED = 0.012
"""Of the window's longer side: the radius of what a click says for certain."""
CONFIDENCE = 0.3
"""Of a floor: there is nothing to measure it by."""


class GrabCut:
    """An engine without features."""

    name: ClassVar[str] = "grabcut"

    def features(self, pixels: Pixels) -> None:
        return None

    def nbytes(self, features: None) -> int:
        return 0

    def mask(self, pixels: Pixels, features: None, prompt: Prompt) -> Masked | None:
        found = cut(pixels, prompt)
        return Masked(found, CONFIDENCE) if found is not None else None


def cut(pixels: Pixels, prompt: Prompt, prior: Mask | None = None) -> Mask | None:
    """The object around the prompt, beginning from `prior` where there is one; None where nothing is left of it."""
    import cv2

    height, width = pixels.shape[:2]
    positives, negatives = inside(prompt.positives, width, height), inside(prompt.negatives, width, height)
    place = _window(prompt, positives, prior, width, height)
    if place is None:
        return None
    left, top, right, bottom = place
    scale = min(1.0, LONGEST / max(right - left, bottom - top))
    size = (max(round((right - left) * scale), 2), max(round((bottom - top) * scale), 2))
    part = cv2.resize(np.ascontiguousarray(pixels[top:bottom, left:right]), size, interpolation=cv2.INTER_AREA)

    def placed(points: tuple[Point, ...]) -> list[tuple[int, int]]:
        return [
            (min(int((x - left) * scale), size[0] - 1), min(int((y - top) * scale), size[1] - 1))
            for x, y in points
            if left <= x < right and top <= y < bottom
        ]

    seeds = _first(size, prompt, positives, prior, place, scale)
    radius = max(1, round(SEED * max(size)))
    for points, value in ((placed(positives), cv2.GC_FGD), (placed(negatives), cv2.GC_BGD)):
        for point in points:
            cv2.circle(seeds, point, radius, int(value), -1)
    if not ((seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)).any() or (seeds & 1).all():
        return None
    rounds = ROUNDS if prior is None else ROUNDS_AGAIN
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # its clusters begin at random, and the same click shall give the same answer
    cv2.grabCut(part, seeds, (0, 0, 1, 1), *models, rounds, cv2.GC_INIT_WITH_MASK)  # beside a mask no rectangle counts
    small = _tidy((seeds & 1).astype(np.uint8), placed(positives), placed(negatives))
    whole = np.zeros((height, width), np.bool_)
    resized = cv2.resize(small, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    whole[top:bottom, left:right] = resized > 127
    return whole if whole.any() else None


def _window(
    prompt: Prompt, positives: tuple[Point, ...], prior: Mask | None, width: int, height: int
) -> tuple[int, int, int, int] | None:
    """What GrabCut looks at: the object with surroundings, which teach it what the object is not."""
    around = window(prior) if prior is not None else None
    parts: list[Corners] = [around] if around is not None else []
    if prompt.box is not None:
        parts.append(prompt.box)
    if parts:
        margin = 0.2 * max(max(part[2] - part[0], part[3] - part[1]) for part in parts)
    else:
        margin = REACH * max(width, height)
    parts += [(x, y, x, y) for x, y in positives]
    if not parts:
        return None
    left, top = min(part[0] for part in parts) - margin, min(part[1] for part in parts) - margin
    right, bottom = max(part[2] for part in parts) + margin, max(part[3] for part in parts) + margin
    place = max(int(left), 0), max(int(top), 0), min(int(right) + 1, width), min(int(bottom) + 1, height)
    return place if place[2] - place[0] > 1 and place[3] - place[1] > 1 else None


def _first(
    size: tuple[int, int],
    prompt: Prompt,
    positives: tuple[Point, ...],
    prior: Mask | None,
    place: tuple[int, int, int, int],
    scale: float,
) -> Bytes:
    """GrabCut's first guess, of shape (height, width)."""
    import cv2

    left, top, right, bottom = place
    if prior is not None:
        part = prior[top:bottom, left:right].astype(np.uint8)
        inner = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        return np.where(inner > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if prompt.box is not None:
        seeds = np.full(size[::-1], cv2.GC_BGD, np.uint8)
        corners = [round((value - origin) * scale) for value, origin in zip(prompt.box, (left, top) * 2, strict=True)]
        seeds[max(corners[1], 0) : corners[3], max(corners[0], 0) : corners[2]] = cv2.GC_PR_FGD
        return seeds
    seeds = np.full(size[::-1], cv2.GC_PR_BGD, np.uint8)
    radius = max(2, round(FIRST_RADIUS / REACH * max(size) / 2))
    for x, y in positives:
        cv2.circle(seeds, (int((x - left) * scale), int((y - top) * scale)), radius, int(cv2.GC_PR_FGD), -1)
    return seeds


def _tidy(found: Bytes, positives: list[tuple[int, int]], negatives: list[tuple[int, int]]) -> Bytes:
    """The pieces that positive points lie in (else the largest), holes without a negative point filled; 0 or 255."""
    import cv2

    count, pieces, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=4)
    if count < 2:
        return found * 255
    touched = {int(pieces[y, x]) for x, y in positives} - {0}
    kept = touched or {1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())}
    filled = np.isin(pieces, list(kept)).astype(np.uint8)
    empty, holes = cv2.connectedComponents(1 - filled, connectivity=4)
    edge = set(np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])).tolist())
    open_ = edge | {int(holes[y, x]) for x, y in negatives} | {0}
    filled[np.isin(holes, [hole for hole in range(empty) if hole not in open_])] = 1
    return filled * 255
