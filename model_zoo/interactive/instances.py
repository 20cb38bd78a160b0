"""The object that a prompt means among proposals, corrected where clicks contradict it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from model_zoo.boxes import overlaps
from model_zoo.interactive.grabcut import cut
from model_zoo.interactive.prompts import Mask, Masked, Pixels, Point, Prompt, inside
from model_zoo.interactive.proposals import Proposals
from model_zoo.types import FloatArray

COVERED = 0.5
"""Likelihood from which on a proposal covers a point."""
NEARLY = 0.15
"""Least likelihood at a first click for a proposal to be considered."""
TIGHT = 0.4
"""Overlap with a drawn box from which on a proposal may be what it means."""
NAMED = 3.0
"""Times that a proposal of the label's own name counts."""
CARRIED = 0.6
"""What a click counts for an object of the label's own name whose box alone contains it: on a person's bag, say, which
the network tells from the person."""
WITHIN = 0.7
"""Share of a proposal's box inside another's from which on it may be a part of that object."""
LATER = 0.6
"""What is left of a proposal's worth where a later click contradicts it: one little better does not take over."""
REACH = 1.6
"""How far around a contradicting click a mask is corrected, in distances to the mask's edge."""


class Proposer(Protocol):
    """Sees the objects of an image: the COCO segmenter, or the project's own."""

    @property
    def name(self) -> str: ...
    def propose(self, pixels: Pixels) -> Proposals: ...


class Instances:
    """Proposals that contain the positive and exclude the negative clicks."""

    def __init__(self, proposer: Proposer) -> None:
        self._proposer = proposer

    @property
    def name(self) -> str:
        return self._proposer.name

    def features(self, pixels: Pixels) -> Proposals:
        return self._proposer.propose(pixels)

    def nbytes(self, features: Proposals) -> int:
        return features.nbytes

    def mask(self, pixels: Pixels, features: Proposals, prompt: Prompt) -> Masked | None:
        height, width = pixels.shape[:2]
        prompt = replace(
            prompt,
            positives=inside(prompt.positives, width, height),
            negatives=inside(prompt.negatives, width, height),
        )
        worth = worths(features, prompt)
        if not len(worth) or worth.max() <= 0:
            return None
        best = int(worth.argmax())
        mask = corrected(pixels, joined(features, best, prompt), prompt)
        return Masked(mask, float(np.clip(features.scores[best], 0, 1))) if mask is not None else None


def worths(proposals: Proposals, prompt: Prompt) -> FloatArray:
    """How well each proposal fits the prompt, of shape (n,); 0 for what cannot be meant."""
    worth = np.sqrt(proposals.scores)
    named = None
    if prompt.called:
        named = np.array([label.lower() in prompt.called for label in proposals.labels], np.bool_)
        worth = worth * np.where(named, NAMED, 1.0)
    if prompt.box is not None and len(worth):
        shared = overlaps(proposals.boxes, np.array([prompt.box], np.float32))[:, 0]
        worth = worth * np.where(shared >= TIGHT, shared**2, 0)
    for number, (across, down) in enumerate(prompt.positives):
        likely = proposals.likelihoods(across, down)
        if named is not None:
            likely = np.where(named & proposals.boxed(across, down), np.maximum(likely, CARRIED), likely)
        # The first click names the object; later ones mostly correct its mask.
        worth = worth * (np.where(likely >= NEARLY, likely, 0) if number == 0 else LATER + (1 - LATER) * likely)
    for across, down in prompt.negatives:
        worth = worth * (1 - (1 - LATER) * proposals.likelihoods(across, down))
    result: FloatArray = worth.astype(np.float32)
    return result


def joined(proposals: Proposals, best: int, prompt: Prompt) -> Mask:
    """A proposal's mask with the smaller proposals inside its box that positive clicks are on, and without others that
    negative clicks are on."""
    mask = proposals.mask(best)
    inner = _within(proposals.boxes, proposals.boxes[best])
    inner[best] = 0
    covering = [proposals.likelihoods(*point) >= COVERED for point in prompt.positives]
    for point, covers in zip(prompt.positives, covering, strict=True):
        parts = np.where(covers & (inner >= WITHIN), proposals.scores, 0)
        if not _covers(mask, point) and parts.max() > 0:
            mask = mask | proposals.mask(int(parts.argmax()))
    meant = np.any(covering, axis=0) if covering else np.zeros(len(proposals.scores), np.bool_)
    meant[best] = True
    for point in prompt.negatives:
        others = np.where((proposals.likelihoods(*point) >= COVERED) & ~meant, proposals.scores, 0)
        if _covers(mask, point) and others.max() > 0:
            mask = mask & ~proposals.mask(int(others.argmax()))
    return mask


def _within(boxes: FloatArray, outer: FloatArray) -> FloatArray:
    """The share of each box (n, 4) that lies in `outer` (4,)."""
    corner, opposite = np.maximum(boxes[:, :2], outer[:2]), np.minimum(boxes[:, 2:], outer[2:])
    areas = np.clip(boxes[:, 2:] - boxes[:, :2], 1e-6, None).prod(axis=1)
    shares: FloatArray = (np.clip(opposite - corner, 0, None).prod(axis=1) / areas).astype(np.float32)
    return shares


def corrected(pixels: Pixels, mask: Mask, prompt: Prompt) -> Mask | None:
    """The mask, changed by GrabCut near the clicks that contradict it, and nowhere else; None where nothing is left."""
    import cv2

    wrong = [(point, True) for point in prompt.positives if not _covers(mask, point)]
    wrong += [(point, False) for point in prompt.negatives if _covers(mask, point)]
    if not wrong:
        return mask if mask.any() else None
    recut = cut(pixels, prompt, mask)
    result = mask.copy()
    for (across, down), wanted in wrong:
        edge = cv2.distanceTransform((mask == wanted).astype(np.uint8) ^ 1, cv2.DIST_L2, 3)
        distance = max(float(edge[int(down), int(across)]), 2.0)
        near = np.zeros(mask.shape, np.uint8)
        cv2.circle(near, (int(across), int(down)), max(int(REACH * distance), 3), 1, -1)
        change = near.astype(np.bool_) & (recut == wanted if recut is not None else True)
        result[change] = wanted
        sure = np.zeros(mask.shape, np.uint8)
        cv2.circle(sure, (int(across), int(down)), max(int(0.25 * distance), 1), 1, -1)
        result[sure.astype(np.bool_)] = wanted
    return result if result.any() else None


def _covers(mask: Mask, point: Point) -> bool:
    return bool(mask[int(point[1]), int(point[0])])
