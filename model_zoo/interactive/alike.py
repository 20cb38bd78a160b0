"""Boxes from an example: the other objects like it, and the object that a loose box means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_zoo.boxes import overlaps, suppress
from model_zoo.interactive.grabcut import cut
from model_zoo.interactive.prompts import Corners, Pixels, Prompt, window
from model_zoo.interactive.proposals import Proposals
from model_zoo.types import FloatArray

LEAST = 0.4
"""Likeness from which on an object is proposed."""
LOOKS, AGREES, KNOWN, SHIFT = 2.95, 1.07, -0.27, -1.27
"""Of a logistic regression, fitted to 206 examples of half of coco_mini, that tells whether a proposal is of the
example's class. Which objects yolov8n-seg takes for each other is the limit: centred features, sizes or shapes beside
these did no better on the other half, and 90 % of its objects are among the proposals."""
FAINT = 0.01
"""Probability below which differences mean nothing."""
TAKEN = 0.5
"""Overlap with a box that is there already, above which nothing new is proposed."""
APART = 0.5
"""Overlap of two proposals of which one is left out."""
MOST = 60
LOOSE = 0.3
"""Overlap that a tightened box must keep with the one drawn: people's boxes are loose, not elsewhere."""

SHRUNK = 480
"""Pixels of the longer side of what templates are looked for in."""
SIZES = (0.8, 1.0, 1.25)
ALIKE = 0.62
"""Correlation from which on a part of the image is the template's like."""


@dataclass(frozen=True)
class Like:
    """An object with its likeness to the example, in [0, 1]."""

    corners: Corners
    score: float


def similar(
    pixels: Pixels,
    proposals: Proposals | None,
    example: Corners,
    taken: Sequence[Corners],
    called: frozenset[str],
    own: Sequence[Like] = (),
) -> list[Like]:
    """The other objects like the one in `example`, best first, without those `taken`. `own` are those that the
    project's own model knows under the label."""
    found = list(own)
    if not found and proposals is not None:
        found = by_features(proposals, example, called)
    if not found:
        found = by_template(pixels, example)
    if not found:
        return []
    boxes = np.array([one.corners for one in found], np.float32)
    scores = np.array([one.score for one in found], np.float32)
    known = np.array([example, *taken], np.float32)
    free = overlaps(boxes, known).max(axis=1) < TAKEN
    stays = suppress(boxes[free], scores[free], APART)[:MOST]
    left = [one for one, is_free in zip(found, free.tolist(), strict=True) if is_free]
    return [left[int(index)] for index in stays]


def by_features(proposals: Proposals, example: Corners, called: frozenset[str]) -> list[Like]:
    """Proposals that look like the example to the network: their classes and what its layers see in them agree."""
    if not len(proposals.boxes):
        return []
    box = np.array([example], np.float32)
    near = overlaps(proposals.boxes, box)[:, 0]
    classes, known = _classes(proposals, np.where(near >= APART, near, 0), called)
    looks = proposals.describe(proposals.boxes) @ proposals.describe(box)[0]
    agrees = np.log(np.clip(proposals.classes @ classes, 0, 1) + FAINT)
    odds = LOOKS * looks + AGREES * agrees + KNOWN * np.log(known + FAINT) + SHIFT
    likeness = 1 / (1 + np.exp(-odds))
    return [
        Like(_corners(corners), float(score))
        for corners, score in zip(proposals.boxes, likeness.tolist(), strict=True)
        if score >= LEAST
    ]


def by_template(pixels: Pixels, example: Corners) -> list[Like]:
    """Parts of the image that correlate with the example, in three sizes (OpenCV's normalised coefficients)."""
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, SHRUNK / max(width, height))
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(
        grey, (max(round(width * scale), 1), max(round(height * scale), 1)), interpolation=cv2.INTER_AREA
    )
    left, top, right, bottom = (round(value * scale) for value in example)
    template = small[max(top, 0) : bottom, max(left, 0) : right]
    if min(template.shape, default=0) < 4 or template.std() < 2:
        return []
    found: list[Like] = []
    for size in SIZES:
        wide, tall = round(template.shape[1] * size), round(template.shape[0] * size)
        if wide < 4 or tall < 4 or wide >= small.shape[1] or tall >= small.shape[0]:
            continue
        scores = cv2.matchTemplate(small, cv2.resize(template, (wide, tall)), cv2.TM_CCOEFF_NORMED)
        peaks = (scores >= ALIKE) & (scores == cv2.dilate(scores, np.ones((5, 5), np.uint8)))
        for row, column in np.argwhere(peaks)[: 5 * MOST].tolist():
            corners = (column / scale, row / scale, (column + wide) / scale, (row + tall) / scale)
            found.append(Like(corners, float(scores[row, column])))
    return found


def tight(pixels: Pixels, proposals: Proposals | None, drawn: Corners, called: frozenset[str]) -> Like | None:
    """The box of the object that a loose box means: a proposal's, else GrabCut's; None where neither stays near."""
    box = np.array([drawn], np.float32)
    if proposals is not None and len(proposals.boxes):
        shared = overlaps(proposals.boxes, box)[:, 0]
        named = np.array([label.lower() in called for label in proposals.labels], np.bool_)
        worth = np.where(shared >= LOOSE, shared**2 * np.sqrt(proposals.scores) * np.where(named, 2.0, 1.0), 0)
        best = int(worth.argmax())
        if worth[best] > 0 and (named[best] or proposals.scores[best] >= 0.1):
            return Like(_corners(proposals.boxes[best]), float(proposals.scores[best]))
    mask = cut(pixels, Prompt(box=drawn))
    around = window(mask) if mask is not None else None
    if around is None:
        return None
    corners = _corners(np.array(around, np.float32))
    kept = float(overlaps(np.array([corners], np.float32), box)[0, 0])
    return Like(corners, kept) if kept >= LOOSE else None


def _classes(proposals: Proposals, near: FloatArray, called: frozenset[str]) -> tuple[FloatArray, float]:
    """How much each of the network's classes says of what the example shows (by its name, else by what is seen there;
    `near` weighs the proposals), and how sure the network is of the example itself."""
    seen = (near[:, None] * proposals.classes).max(axis=0)
    named = np.array([name.lower() in called for name in proposals.names], np.float32)
    shares = named if named.any() else seen**2 / max(float((seen**2).sum()), 1e-12)
    return shares.astype(np.float32), float(np.clip((shares * seen).sum(), 0, 1))


def _corners(values: FloatArray) -> Corners:
    left, top, right, bottom = (float(value) for value in values.tolist())
    return left, top, right, bottom
