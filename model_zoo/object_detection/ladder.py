"""How much of a network to train: more of it only where held-out images say that it pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model_zoo.average_precision import OVERLAPS
from model_zoo.detection_metrics import output_precisions
from model_zoo.object_detection.cache import Cache
from model_zoo.object_detection.fitting import DetectionLoss, LossMaker, fit_parts, levels_for
from model_zoo.object_detection.forward import output
from model_zoo.object_detection.hyperparameters import AUTO, FREEZES, Hyperparameters
from model_zoo.object_detection.network import LAST, Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.object_detection.trust import GRID, blended, choose, usual
from model_zoo.postprocess import DetectionPostprocess
from model_zoo.types import Boxes, DetectionOutput, FloatArray, LabelSpace

if TYPE_CHECKING:
    from torch import Tensor

Parts = tuple[str, ...]

Tell = Callable[[Parts, float, float], None]


def _silent(parts: Parts, share: float, loss: float) -> None:
    """Tells nobody."""


# Tried and left out, for want of a gain that lasts over mice, pedestrians, COCO's classes, drawn cells and raccoons: a
# head between what it was and what it learnt, by images left out; the mean of its weights with those of the folds;
# twice the learning rate; twice the steps, which help with mice alone. Of five images: half of what the last layer and
# the head learnt, whatever those left out say, which finds as much and shows far less of it (RESULTS.md); a head that
# is trained only where the last layer is trusted, or not much worse by those left out.
PAYS = 0.02
"""Mean average precision that a rung must add to be worth its time and its risk."""
FEW = 10
"""Images below which those left out cannot tell a detector's head from its last layer: of five, each is often found at
once by what the network knew, and says that nothing learnt is to be trusted. There the head is trained whatever they
say, provided that every label has objects and begins as something known. Of ten draws of five raccoons this raises the
worst from 0.84 to 0.92; where the last layer would have done better, as with dogs under another name, it costs up to
0.08 (RESULTS.md)."""
ENOUGH = 0.85
"""Mean average precision from which on no higher rung is tried."""
FAMILIAR = 0.6
"""Average precision at an overlap of one half from which on the neck stays as it is: training it costs some ten times
as much as the head, whose features are cached, and only unfamiliar or crowded scenes have ever gained by it."""
FAINT = 0.01
"""Confidence below which candidates make no difference to the choice."""
SHORTER = 0.5
"""Share of the final steps that a fold is trained for."""


@dataclass(frozen=True)
class Evidence:
    """What training `parts`, after a last layer that is trusted so far (labels,), gives on images left out: an output
    each, None where nothing could be left out; the mean average precision over ten overlaps, and at one half; and the
    networks themselves, one a fold."""

    parts: Parts
    outputs: tuple[DetectionOutput | None, ...]
    trust: FloatArray
    score: float
    score50: float
    networks: tuple[Network, ...] = ()


Look = Callable[[Network, Sequence["Tensor"], Fitted], DetectionOutput]
"""What a network finds in one view, from what its head looks at."""


@dataclass(frozen=True)
class How:
    """What differs between networks with other heads: how they look, what they lose, and what is trained where they are
    frozen up to and including a part; `rungs` are those that are tried, from the least trained to the most."""

    look: Look
    lossy: LossMaker
    freezes: Mapping[str, Parts]
    rungs: tuple[str, ...] = ("classes", "neck", "backbone")
    bold: bool = False
    """Whether the head is trained on `FEW` images whatever those left out say."""


@dataclass(frozen=True)
class Material:
    """What all rungs are trained on: the network to begin with, cached views, each image's fold (`folds` many), its
    true boxes, and its size (width, height); how many `objects` each label has, and whether it begins as something
    `known`."""

    start: Network
    cache: Cache
    fold: npt.NDArray[np.int64]
    folds: int
    truths: Sequence[Boxes]
    sizes: Sequence[tuple[int, int]]
    labels: LabelSpace
    objects: Sequence[int]
    known: Sequence[bool]
    how: How
    softly: Callable[[int | None], LossMaker] | None = None
    """The loss for images outside of a fold, or for all of them, where a teacher has a say."""

    def lossy(self, fold: int | None = None) -> LossMaker:
        """The loss for images outside of that fold, or for all of them."""
        return self.how.lossy if self.softly is None else self.softly(fold)


def rungs(hyper: Hyperparameters, how: How) -> list[Parts]:
    """What may be trained, from the least to the most."""
    return [how.freezes[name] for name in (how.rungs if hyper.freeze == AUTO else (hyper.freeze,))]


def worth_trying(parts: Parts, best: Evidence) -> bool:
    """Whether training `parts` may pay, given what the rung below gave."""
    return best.score < ENOUGH and ("neck" not in parts or best.score50 < FAMILIAR)


def least_gain(parts: Parts, objects: Sequence[int], known: Sequence[bool], count: int, how: How) -> float:
    """The mean average precision that training `parts` must add to the best that lower rungs gave on `count` images;
    each label has so many objects, and begins as something `known`, or not."""
    bold = how.bold and count < FEW and "neck" not in parts and all(known) and all(objects)
    return -inf if bold else PAYS


def climb(material: Material, hyper: Hyperparameters, steps: int, seed: int, tell: Tell = _silent) -> Evidence:
    """What to train, by cross-validation, up to the first rung that does not pay. `tell` hears the parts, the share
    done of their folds, and the loss."""
    choice = rungs(hyper, material.how)
    known, present = material.known, [count > 0 for count in material.objects]
    if material.folds < 2:
        return Evidence(choice[0], (None,) * len(material.truths), usual(known, present), 0.0, 0.0)
    trained = [trained_without(material, (LAST,), fold, hyper, steps, seed, tell) for fold in range(material.folds)]
    trust = _trust(material, trained)
    first = [blended(material.start, network, trust) for network in trained]
    best: Evidence | None = None
    highest = -inf  # of all rungs: one that was boldly taken may be below the one before it
    for parts in choice:
        if best is not None and not worth_trying(parts, best):
            break
        found = cross_validate(material, parts, first, trust, hyper, steps, seed, tell)
        gain = least_gain(parts, material.objects, known, len(material.truths), material.how)
        if best is not None and found.score <= highest + gain:
            break
        best, highest = found, max(highest, found.score)
    if best is None:
        raise ValueError("Got no rung, wanted at least one.")
    return best


def cross_validate(
    material: Material,
    parts: Parts,
    first: Sequence[Network],
    trust: FloatArray,
    hyper: Hyperparameters,
    steps: int,
    seed: int,
    tell: Tell = _silent,
) -> Evidence:
    """What networks trained on other folds find in each image. `first` are those whose last layer is trained, one a
    fold."""
    outputs: list[DetectionOutput | None] = [None] * len(material.truths)
    networks = []
    for fold, begun in enumerate(first):
        network = begun
        if parts != (LAST,):
            network = trained_without(material, parts, fold, hyper, steps, seed, tell, begun)
        networks.append(network)
        for at in held(material, fold):
            outputs[material.cache.seen[at].image] = look(network, parts, material, at)
    table = _table(outputs, material, OVERLAPS)
    known = table[:, ~np.isnan(table[0])]
    scores = (float(known.mean()), float(known[0].mean())) if known.size else (0.0, 0.0)
    return Evidence(parts, tuple(outputs), trust, *scores, tuple(networks))


def held(material: Material, fold: int) -> list[int]:
    """The plain views of a fold."""
    return [at for at, view in enumerate(material.cache.seen) if view.fold == fold and view.plain]


def _trust(material: Material, trained: Sequence[Network]) -> FloatArray:
    """How far the last layer of each label is to be trusted, by what it finds in the images left out."""
    scores = []
    for share in GRID:
        outputs: list[DetectionOutput | None] = [None] * len(material.truths)
        for fold, network in enumerate(trained):
            mixed = blended(material.start, network, np.full(len(material.labels), share, np.float32))
            for at in held(material, fold):
                outputs[material.cache.seen[at].image] = look(mixed, (LAST,), material, at)
        scores.append(_table(outputs, material, (0.5, 0.75)).mean(axis=0))
    return choose(np.stack(scores), material.objects, material.known)


def trained_without(
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
    shorter = max(round(steps_of(parts, steps) * SHORTER), 1)
    begun = start or material.start
    return fit_parts(begun, parts, material.cache, chosen, shorter, hyper, seed, step, material.lossy(fold))[0]


def look(network: Network, parts: Parts, material: Material, at: int) -> DetectionOutput:
    """What a network finds in a plain view, in pixels of its image."""
    import torch

    material.cache.check()
    view = material.cache.seen[at]
    width, height = material.sizes[view.image]
    side = view.picture.pixels.shape[0]
    scale = side / max(width, height)
    # Where `views.plain` has put the image.
    left, top = round((side - width * scale) / 2), round((side - height * scale) / 2)
    fitted = Fitted(view.picture.pixels, scale, left, top, width, height)
    with torch.inference_mode():
        return material.how.look(network, levels_for(network, parts, material.cache, [at]), fitted)


def look_for_boxes(network: Network, levels: Sequence[Tensor], fitted: Fitted) -> DetectionOutput:
    """Of one view, what a detector finds in it."""
    raw = network.answer(levels)
    corners = network.decode(raw.boxes, levels)[0].numpy()
    return output(fitted, corners, raw.scores[0].sigmoid().numpy().T)


BOXES = How(look_for_boxes, DetectionLoss, FREEZES, bold=True)
"""As of detectors."""


def _table(outputs: Sequence[DetectionOutput | None], material: Material, overlaps: Sequence[float]) -> FloatArray:
    """Average precision (overlaps, labels) of what was found in the images left out."""
    judged = [(one, truth) for one, truth in zip(outputs, material.truths, strict=True) if one is not None]
    usually = DetectionPostprocess.uncalibrated(material.labels)
    found, truths = [one for one, _ in judged], [truth for _, truth in judged]
    return output_precisions(found, truths, usually, material.labels, overlaps, FAINT)


def steps_of(parts: Parts, steps: int) -> int:
    """The last layer by itself is quick to train, and needs many steps; so does what begins with nothing pretrained."""
    return 2 * steps if parts == (LAST,) or "angles" in parts else steps
