"""How much of a network to train: more of it only where held-out images say that it pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model_zoo.detection_metrics import average_precisions
from model_zoo.object_detection.cache import Cache
from model_zoo.object_detection.fitting import fit_parts, levels_for
from model_zoo.object_detection.forward import output
from model_zoo.object_detection.hyperparameters import AUTO, FREEZES, Hyperparameters
from model_zoo.object_detection.network import LAST, Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.types import Boxes, DetectionOutput, LabelSpace

Parts = tuple[str, ...]

Tell = Callable[[Parts, float, float], None]


def _silent(parts: Parts, share: float, loss: float) -> None:
    """Tells nobody."""


PAYS = 0.02
"""Mean average precision that a rung must add to be worth its time and its risk."""
ENOUGH = 0.9
"""Mean average precision at an overlap of one half from which on no higher rung is tried."""
FAR = 0.7
"""The same below which the neck is tried even though the box branch alone did not pay."""
SHORTER = 0.5
"""Share of the final steps that a fold is trained for."""


@dataclass(frozen=True)
class Evidence:
    """What training `parts` gives on images left out: an output each, None where nothing could be left out; and the
    mean average precision over ten overlaps, and at an overlap of one half."""

    parts: Parts
    outputs: tuple[DetectionOutput | None, ...]
    score: float
    score50: float


@dataclass(frozen=True)
class Material:
    """What all rungs are trained on: the network to begin with, cached views, each image's fold (`folds` many), its
    true boxes, and its size (width, height)."""

    start: Network
    cache: Cache
    fold: npt.NDArray[np.int64]
    folds: int
    truths: Sequence[Boxes]
    sizes: Sequence[tuple[int, int]]
    labels: LabelSpace


def rungs(hyper: Hyperparameters) -> list[Parts]:
    """What may be trained, from the least to the most."""
    if hyper.freeze != AUTO:
        return [FREEZES[hyper.freeze]]
    return [FREEZES[frozen] for frozen in ("classes", "boxes", "neck", "backbone")]


def climb(material: Material, hyper: Hyperparameters, steps: int, seed: int, tell: Tell = _silent) -> Evidence:
    """The rung to train on, by cross-validation; the second, where nothing can be left out and nothing was asked for.
    `tell` hears the parts, the share done of their folds, and the loss."""
    choice = rungs(hyper)
    if material.folds < 2:
        return Evidence(choice[min(1, len(choice) - 1)], (None,) * len(material.truths), 0.0, 0.0)
    first = [_trained(material, (LAST,), fold, hyper, steps, seed, tell) for fold in range(material.folds)]
    best: Evidence | None = None
    for parts in choice:
        found = cross_validate(material, parts, first, hyper, steps, seed, tell)
        paid = best is None or found.score > best.score + PAYS
        best = found if best is None or paid else best
        if best.score50 >= ENOUGH or not (paid or best.score50 < FAR):
            break
    if best is None:
        raise ValueError("Got no rung, wanted at least one.")
    return best


def cross_validate(
    material: Material,
    parts: Parts,
    first: Sequence[Network],
    hyper: Hyperparameters,
    steps: int,
    seed: int,
    tell: Tell = _silent,
) -> Evidence:
    """What networks trained on other folds find in each image. `first` are those whose last layer is trained, one a
    fold."""
    outputs: list[DetectionOutput | None] = [None] * len(material.truths)
    for fold, begun in enumerate(first):
        network = begun
        if parts != (LAST,):
            network = _trained(material, parts, fold, hyper, steps, seed, tell, begun)
        for at, view in enumerate(material.cache.seen):
            if view.fold == fold and view.plain:
                outputs[view.image] = _look(network, parts, material, at)
    return _judged(parts, outputs, material)


def _trained(
    material: Material,
    parts: Parts,
    fold: int,
    hyper: Hyperparameters,
    steps: int,
    seed: int,
    tell: Tell,
    start: Network | None = None,
) -> Network:
    """Trained on all but one fold, for a shorter time."""

    def step(share: float, loss: float) -> None:
        tell(parts, (fold + share) / material.folds, loss)

    chosen = [at for at, view in enumerate(material.cache.seen) if view.fold != fold]
    shorter = max(round(steps * SHORTER), 1)
    return fit_parts(start or material.start, parts, material.cache, chosen, shorter, hyper, seed, step)[0]


def _look(network: Network, parts: Parts, material: Material, at: int) -> DetectionOutput:
    """What a network finds in a plain view, in pixels of its image."""
    import torch

    view = material.cache.seen[at]
    with torch.inference_mode():
        levels = levels_for(network, parts, material.cache, [at])
        raw = network.answer(levels)
        corners = network.decode(raw.boxes, levels)[0].numpy()
        probabilities = raw.scores[0].sigmoid().numpy().T
    width, height = material.sizes[view.image]
    side = view.picture.pixels.shape[0]
    scale = side / max(width, height)
    # Where `views.plain` has put the image.
    left, top = round((side - width * scale) / 2), round((side - height * scale) / 2)
    return output(Fitted(view.picture.pixels, scale, left, top, width, height), corners, probabilities)


def _judged(parts: Parts, outputs: Sequence[DetectionOutput | None], material: Material) -> Evidence:
    judged = [(one, truth) for one, truth in zip(outputs, material.truths, strict=True) if one is not None]
    usual = DetectionPostprocess.uncalibrated(material.labels)
    found = [usual.candidates(one) for one, _ in judged]
    table = average_precisions(found, [truth for _, truth in judged], material.labels)
    known = table[:, ~np.isnan(table[0])]
    if not known.size:
        return Evidence(parts, tuple(outputs), 0.0, 0.0)
    return Evidence(parts, tuple(outputs), float(known.mean()), float(known[0].mean()))
