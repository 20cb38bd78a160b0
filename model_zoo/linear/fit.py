"""Training a linear head from few examples: whitening, logistic regression, and what the labels' names add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model_zoo.linear.head import LinearHead
from model_zoo.linear.logistic import fit_logistic
from model_zoo.linear.soft import Soft
from model_zoo.linear.whitening import fit_whitening
from model_zoo.types import FloatArray

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


PRIOR = 20.0
"""Imagined examples of each label. On 8 intents of skewed frequencies: 0.71 right at 10 examples with none, 0.82 with
5, 0.84 with 20; at 300 examples 0.961, 0.970 and 0.976."""


@dataclass(frozen=True)
class Hyperparameters:
    """How a head is fitted.

    `strength` is the inverse of the L2 penalty; `shrinkage` in (0, 1], where 1 leaves features unwhitened;
    `anchor_weight` is what a label's name counts for, an example counting 1. `sharpness` multiplies scores: penalised
    fits are too modest, by much the same factor on all data, and where nothing can be held out this is all the
    calibration there is. `folds` are those of the cross-validation.
    """

    strength: float
    shrinkage: float
    anchor_weight: float = 0.0
    sharpness: float = 2.0
    folds: int = 5


@dataclass(frozen=True)
class Sample:
    """Labelled features (items, r) with targets (items, labels), and the names' features (labels, r) where known.

    `dimensions` is that of the encoder; r is smaller once the features are rotated (`Rotation`). `soft` is what a
    teacher says of other items.
    """

    features: Array
    targets: Flags
    anchors: Array | None
    multiple: bool
    dimensions: int
    soft: Soft | None = None

    def part(self, chosen: Flags) -> Sample:
        soft = self.soft.leaving_out(np.flatnonzero(~chosen).tolist()) if self.soft else None
        return Sample(self.features[chosen], self.targets[chosen], self.anchors, self.multiple, self.dimensions, soft)


@dataclass(frozen=True)
class Rotation:
    """An orthonormal basis (r, dimensions) of the space that a sample spans.

    Weights of a penalised fit lie in that space, so fitting there, in tens of columns instead of thousands,
    gives the same head; so does fitting to a part of the sample, as cross-validation does.
    """

    basis: Array | None

    def expand(self, head: LinearHead) -> LinearHead:
        """A head on rotated features, as one on the encoder's."""
        if self.basis is None:
            return head
        return LinearHead((head.weight @ self.basis).astype(np.float32), head.bias, head.floor, head.multiple)


def rotate(sample: Sample) -> tuple[Sample, Rotation]:
    """The same sample in the coordinates of its own span; unchanged where that would save nothing."""
    count, named = len(sample.features), 0 if sample.anchors is None else len(sample.anchors)
    others = [table for table in (sample.anchors, sample.soft.features if sample.soft else None) if table is not None]
    rows = np.vstack([sample.features, *others])
    if len(rows) >= sample.dimensions:
        return sample, Rotation(None)
    values, vectors = np.linalg.eigh(rows @ rows.T)
    kept = values > values[-1] * 1e-10
    roots = np.sqrt(values[kept])
    turned = vectors[:, kept] * roots
    basis = (vectors[:, kept] / roots).T @ rows
    anchors = None if sample.anchors is None else turned[count : count + named]
    soft = replace(sample.soft, features=turned[count + named :]) if sample.soft else None
    return replace(sample, features=turned[:count], anchors=anchors, soft=soft), Rotation(basis)


def names_help(sample: Sample) -> bool:
    """Whether the labels' names, by themselves, find the labels of the examples.

    A likelihood-ratio test of "names that mean something", right half the way between chance and always, against
    "names that mean nothing". Honest on training data: names have learnt nothing from it.
    """
    if sample.anchors is None:
        return False
    labelled = sample.targets.any(axis=1)
    if not labelled.any():
        return False
    targets = sample.targets[labelled]
    chance = float(targets.mean())
    if chance >= 1:
        return False
    best = (sample.features[labelled] @ sample.anchors.T).argmax(axis=1)
    hits = int(targets[np.arange(len(targets)), best].sum())
    misses = len(targets) - hits
    return bool(hits * np.log((1 + chance) / 2 / chance) + misses * np.log(0.5) > 0)


def fit_head(
    sample: Sample, hyper: Hyperparameters, check: Callable[[], None] = lambda: None
) -> tuple[LinearHead, float]:
    """A head for `sample`, at least one item, and its mean log loss. `check` is called often and may raise."""
    anchored = hyper.anchor_weight > 0 and names_help(sample)
    learnable = _learnable(sample, anchored) | (sample.soft.told if sample.soft else False)
    weights, prior = (
        (np.ones(len(sample.targets)), np.zeros(sample.targets.shape[1]))
        if sample.multiple
        else _balance(sample.targets)
    )
    whiten = fit_whitening(sample.features, sample.targets, hyper.shrinkage, sample.dimensions)
    rows, targets = sample.features, sample.targets
    if anchored and sample.anchors is not None:
        rows = np.vstack([rows, sample.anchors])
        targets = np.vstack([targets, np.eye(targets.shape[1], dtype=np.bool_)])
        weights = np.concatenate([weights, np.full(len(sample.anchors), hyper.anchor_weight)])
    shape = (targets.shape[1], rows.shape[1])
    weight, bias, loss = np.zeros(shape), np.zeros(shape[0]), 0.0
    if learnable.sum() > (0 if sample.multiple else 1):
        chosen = targets[:, learnable].astype(np.float64)
        softly = sample.soft.rows(whiten, learnable, hyper.sharpness, prior) if sample.soft else None
        fit = fit_logistic(whiten(rows), chosen, weights, hyper.strength, sample.multiple, check, softly)
        weight[learnable], bias[learnable] = whiten.fold(fit.weight * hyper.sharpness, fit.bias * hyper.sharpness)
        bias += prior
        loss = fit.loss
    floor = np.zeros(shape[0])
    count = len(sample.features)
    if sample.multiple:
        seen = sample.targets.sum(axis=0)
        bias[~learnable] = np.log((seen + 1) / (count - seen + 1))[~learnable]
    else:
        floor[~learnable] = 1 / (count + shape[0])
    return LinearHead(_single(weight), _single(bias), _single(floor), sample.multiple), loss


def _balance(targets: Flags) -> tuple[Array, Array]:
    """Item weights (items,) that give each seen label the same say, and the log prior (labels,) to add instead.

    Two examples of one label and one of another say little about how frequent the labels are, so the prior
    counts `PRIOR` imagined examples of each. Without this, leaving an example out speaks against its label, and
    cross-validation with two examples a label is wrong about nearly all of them.
    """
    counts = targets.sum(axis=0)
    share = len(targets) / max(int((counts > 0).sum()), 1)
    weights: Array = (targets * (share / np.maximum(counts, 1))).sum(axis=1)
    prior: Array = np.log((counts + PRIOR) / (counts.sum() + PRIOR * len(counts)))
    return weights, prior


def _learnable(sample: Sample, anchored: bool) -> Flags:
    """Labels that there is something to learn about: seen, and where several may apply, also seen to be absent."""
    if anchored and len(sample.targets.T) > 1:
        return np.ones(sample.targets.shape[1], np.bool_)
    seen = np.asarray(sample.targets.any(axis=0))
    return seen & ~np.asarray(sample.targets.all(axis=0)) if sample.multiple else seen


def judgeable(train: Sample, held_out: Flags) -> Flags:
    """Which held-out items (items, labels) can judge a head fitted to `train`: it has examples of their labels."""
    return ~np.asarray((held_out & ~train.targets.any(axis=0)).any(axis=1))


def _single(array: Array) -> FloatArray:
    return array.astype(np.float32)
