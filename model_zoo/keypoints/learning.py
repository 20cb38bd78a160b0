"""From labelled images to a trained head, and what heads that had not seen an image say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from model_zoo.keypoints.fitting import Prior, fit, fit_whole, levels_of
from model_zoo.keypoints.head import Shape, build, patches
from model_zoo.keypoints.hyperparameters import Hyperparameters
from model_zoo.keypoints.model import Meaning, channels_of, read
from model_zoo.object_detection.bases import Base
from model_zoo.object_detection.cache import Levels, View, as_batch, decoded, views
from model_zoo.object_detection.course import Course
from model_zoo.object_detection.marks import Marks
from model_zoo.object_detection.network import Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.object_detection.views import Picture
from model_zoo.poses import marked, match, sigmas, similarities, swapped, truth_of
from model_zoo.types import FloatArray, LabelSpace, PoseExample, PoseOutput

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

FEWER = 0.5
"""Share of a head's steps that the network is trained for after it, which take some ten times as long."""
SHORTER = 0.5
"""Share of the final steps that a fold is trained for."""
ALIKE = 0.3
"""Similarity from which on what the pretrained head found is taken for the true object."""


@dataclass(frozen=True)
class Material:
    """What a head is trained on: cached views, each image's fold (`folds` many) and its size (width, height); and,
    where the pretrained head finds objects, what it says in each view."""

    base: Base
    labels: LabelSpace
    shape: Shape
    cache: Levels
    fold: npt.NDArray[np.int64]
    folds: int
    sizes: Sequence[tuple[int, int]]
    meaning: Meaning | None = None
    priors: Sequence[Prior] | None = None


class _Patched(Levels):
    """With the pixels themselves as a last level."""

    def levels(self, chosen: Sequence[int]) -> list[Tensor]:
        images = as_batch([self.seen[at].picture.pixels for at in chosen])
        return [*super().levels(chosen), patches(images, min(self._network.strides))]


@dataclass(frozen=True)
class Learnt:
    """A head trained on all views, its loss, and an output for each image by a head that had not seen it, or None; and
    the network that was trained with it, where that was."""

    head: Module
    loss: float
    outputs: tuple[PoseOutput | None, ...]
    network: Network | None = None


def gather(
    base: Base,
    examples: Sequence[PoseExample],
    labels: LabelSpace,
    sizes: Sequence[tuple[int, int]],
    shape: Shape,
    hyper: Hyperparameters,
    seed: int,
    course: Course,
    meaning: Meaning | None = None,
) -> Material:
    """Decode the images and let the network see their views. Raises `UnreadableInput`, `Cancelled`."""
    count = min(hyper.folds, len(examples)) if len(examples) > 1 else 1
    fold = np.random.default_rng(seed).permutation(len(examples)) % max(count, 1)
    images = pictures(examples, labels, hyper.image_size, course.check)
    how = hyper.augmentation(swapped(labels.names))
    seen = views(images, fold, hyper.views, hyper.image_size, how, seed)
    cache = (_Patched if shape.whole else Levels)(base.network, seen, course.cached(len(seen)))
    made = Material(base, labels, shape, cache, fold, count, sizes, meaning)
    if meaning is None:
        return made
    sigma = sigmas(labels.names)
    return replace(made, priors=[_prior(made, at, sigma, course.check) for at in range(len(seen))])


def learn(
    material: Material, hyper: Hyperparameters, steps: int, seed: int, course: Course, whole: bool = False
) -> Learnt:
    """Train on all views, after folds have been trained on the others: heads alone, or the `whole` network after its
    head. Raises `Cancelled`."""
    outputs: list[PoseOutput | None] = [None] * len(material.sizes)
    seen = material.cache.seen
    for fold in range(material.folds if material.folds > 1 else 0):

        def told(share: float, loss: float, fold: int = fold) -> None:
            course.folds(("points",), (fold + share) / material.folds, loss)

        others = [at for at, view in enumerate(seen) if view.fold != fold]
        head, _, network = _trained(material, others, hyper, max(round(steps * SHORTER), 1), seed, told, whole)
        for at, view in enumerate(seen):
            if view.fold == fold and view.plain:
                course.check()
                outputs[view.image] = look(material, head, at, network)
    last = course.part(0, 1, hyper.epochs)
    head, loss, network = _trained(material, range(len(seen)), hyper, steps, seed, last, whole)
    return Learnt(head, loss, tuple(outputs), network)


def look(material: Material, head: Module, at: int, network: Network | None = None) -> PoseOutput:
    """What a head finds in a plain view, in pixels of its image; on another network than the frozen one, if given."""
    import torch

    view = material.cache.seen[at]
    with torch.inference_mode():
        levels = levels_of(network, material.shape, [view]) if network else material.cache.levels([at])
        maps = head(levels)
        found = [maps[0].numpy()] if material.meaning is None else [*_known(material, levels), maps[0].numpy()]
    width, height = material.sizes[view.image]
    side = view.picture.pixels.shape[0]
    scale = side / max(width, height)
    # Where `views.plain` has put the image.
    left, top = round((side - width * scale) / 2), round((side - height * scale) / 2)
    fitted = Fitted(view.picture.pixels, scale, left, top, width, height)
    return read(fitted, found, material.shape, material.meaning)


def pictures(
    examples: Sequence[PoseExample], labels: LabelSpace, side: int, check: Callable[[], None]
) -> list[Picture]:
    """The images decoded, no larger than training needs them, with frames and points of their objects."""
    made = []
    for example in examples:
        check()
        pixels, ratio = decoded(example.item, side)
        height, width = pixels.shape[0] / ratio[1], pixels.shape[1] / ratio[0]
        truth = truth_of(example.poses, labels, width, height)
        derived = np.array([pose.box is None for pose in example.poses], np.bool_)
        marks = Marks((truth.places * ratio).astype(np.float32), truth.states, derived)
        frames = (truth.frames * np.tile(ratio, 2)).astype(np.float32)
        made.append(Picture(pixels, frames, truth.kinds, marks=marks))
    return made


def _trained(
    material: Material,
    chosen: Sequence[int],
    hyper: Hyperparameters,
    steps: int,
    seed: int,
    told: Callable[[float, float], None],
    whole: bool,
) -> tuple[Module, float, Network | None]:
    """A head, its loss, and the network that was trained with it, where that was."""
    network, shape, cache = material.base.network, material.shape, material.cache
    head = build(channels_of(material.base, shape), shape, seed)
    if not whole:
        return head, fit(head, shape, cache, chosen, steps, hyper, seed, told, material.priors), None
    fit(head, shape, cache, chosen, steps, hyper, seed, lambda share, loss: told(share / 2, loss))
    own, loss = fit_whole(
        network, head, shape, cache, chosen, max(round(steps * FEWER), 1), hyper, seed,
        lambda share, loss: told((1 + share) / 2, loss),
    )  # fmt: skip
    return head, loss, own


def _known(material: Material, levels: Sequence[Tensor]) -> list[FloatArray]:
    """What the pretrained head finds in one view."""
    network = material.base.network
    raw = network.answer(list(levels))
    points = network.decode_points(network.points_branch(levels), levels)
    return [
        network.decode(raw.boxes, levels)[0].numpy(),
        raw.scores[0].sigmoid().numpy().T,
        points[0].numpy(),
    ]


def _prior(material: Material, at: int, sigma: FloatArray, check: Callable[[], None]) -> Prior:
    """What the pretrained head says of a view's true objects: by the cells that it is surest of and that are most like
    each."""
    import torch

    check()
    view: View = material.cache.seen[at]
    picture, marks = view.picture, view.picture.marks
    if material.meaning is None or marks is None:
        raise ValueError("Got a view without points, or no meaning of them, wanted both.")
    with torch.inference_mode():
        corners, probabilities, points = _known(material, material.cache.levels([at]))
    best = np.argsort(-probabilities.max(axis=1), kind="stable")[:300]
    best = best[probabilities[best].max(axis=1) > 0.05]
    table = points[best].reshape(len(best), points.shape[1] // 3, 3)[:, list(material.meaning.points)]
    count = len(picture.boxes)
    prior = Prior(
        np.zeros((count, len(sigma), 2), np.float32),
        np.zeros((count, len(sigma)), np.float32),
        np.zeros((count, 2), np.float32),
        np.zeros(count, np.bool_),
    )
    alike = similarities(table[..., :2], marks.places, marks.states, picture.boxes, sigma)
    for row, index in enumerate(match(alike, ALIKE, marked(marks.states))):
        if index >= 0:
            prior.places[index], prior.odds[index] = table[row, :, :2], table[row, :, 2]
            prior.cells[index] = corners[best[row]].reshape(2, 2).mean(axis=0)
            prior.found[index] = True
    return prior
