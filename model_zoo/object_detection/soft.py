"""What a teacher says of images that nobody has labelled, as a detector learns it: the classes of matched boxes.

A box of the teacher is matched with the cells of the student that would answer for it if it were true (Feng et al.
2021, TOOD, https://arxiv.org/abs/2108.07755, which is how Ultralytics' detectors are trained); what these say of each
label is drawn towards what the teacher says of the box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.boxes import box
from model_zoo.distillation import Distillation, divergence, softened
from model_zoo.object_detection import upstream
from model_zoo.object_detection.cache import Cache, pictures, views
from model_zoo.object_detection.fitting import LossMaker, levels_for
from model_zoo.object_detection.network import LAST, Network
from model_zoo.object_detection.views import Augmentation
from model_zoo.types import DetectionExample, DetectionOutput, FloatArray, Item, LabelSpace, Output

if TYPE_CHECKING:
    from torch import Tensor

VIEWS = 2
"""Of each image: there are many."""
NAMED = LabelSpace(("",))
"""For boxes whose label does not matter."""


class Softly:
    """The loss for all images, or for those outside of a fold, beside what a teacher says of others: `maker` makes that
    of the images, and `fold` (images,) says which are left out together. What has been looked at once is kept."""

    def __init__(self, looks: Looks, maker: LossMaker, fold: npt.NDArray[np.int64]) -> None:
        self._looks = looks
        self._maker = maker
        self._fold = fold
        self._seen: dict[int | None, Soft] = {}

    def __call__(self, fold: int | None) -> LossMaker:
        """For images outside of that fold, or all of them. Raises `UnreadableInput`, `Cancelled`."""
        taught = self._looks.taught
        other = taught if fold is None else taught.leaving_out(np.flatnonzero(self._fold == fold).tolist())
        if other is None:
            return self._maker
        key = None if other is taught else fold
        if key not in self._seen:
            self._seen[key] = self._looks.seen(other.outputs)
        return self._seen[key].beside(self._maker, self._looks.seed)


@dataclass(frozen=True)
class Looks:
    """How a teacher's images are looked at: by which network, at which side, in which views."""

    taught: Distillation
    network: Network
    side: int
    how: Augmentation
    seed: int
    check: Callable[[], None]

    def seen(self, outputs: Sequence[Output]) -> Soft:
        """Views of the images with these outputs. Raises `UnreadableInput`, `Cancelled`."""
        found = [output for output in outputs if isinstance(output, DetectionOutput)]
        if len(found) != len(outputs):
            raise TypeError(f"Got {len(outputs) - len(found)} outputs without boxes, wanted DetectionOutputs.")
        examples = [_example(item, output) for item, output in zip(self.taught.items, found, strict=True)]
        images, first = [], 0
        for image, output in zip(pictures(examples, NAMED, self.side, self.check), found, strict=True):
            # Views drop boxes and join images: each box carries the number of its row instead of a label.
            images.append(replace(image, labels=np.arange(first, first + len(output.boxes), dtype=np.int64)))
            first += len(output.boxes)
        table = np.concatenate([output.probabilities for output in found])
        alike = np.zeros(len(images), np.int64)
        made = views(images, alike, VIEWS, self.side, self.how, self.seed, self.check)
        cache = Cache(self.network, made, self.check)
        return Soft(cache, table, [at for at, one in enumerate(made) if len(one.picture.boxes)], self.taught)


@dataclass(frozen=True)
class Soft:
    """Cached views whose boxes are the teacher's, and what it says of each box: `table` (boxes, labels), by the number
    that stands in a picture for the box's label. `chosen` are the views with a box."""

    cache: Cache
    table: FloatArray
    chosen: Sequence[int]
    taught: Distillation

    def beside(self, maker: LossMaker, seed: int) -> LossMaker:
        """The loss that `maker` makes, and the divergence from the teacher."""

        def made(network: Network, parts: Sequence[str], cache: Cache, present: FloatArray) -> Any:
            own = maker(network, parts, cache, present)
            return SoftLoss(self, own, network, parts, seed) if self.chosen else own

        return made


class SoftLoss:
    """Of a batch of labelled views, and as many that nobody has labelled."""

    def __init__(
        self,
        soft: Soft,
        own: Callable[[Sequence[int]], Tensor],
        network: Network,
        parts: Sequence[str],
        seed: int,
    ) -> None:
        self._soft = soft
        self._own = own
        self._network = network
        self._parts = frozenset(parts)
        self._random = np.random.default_rng(seed)
        self._loss = upstream.detection_loss(network.head, np.ones(len(network.names), np.float32))

    def __call__(self, batch: Sequence[int]) -> Tensor:
        soft = self._soft
        others = self._random.choice(soft.chosen, min(len(batch), len(soft.chosen)), replace=False).tolist()
        return soft.taught.loss(self._own(batch), self._divergence(others))

    def _divergence(self, batch: Sequence[int]) -> Tensor:
        """Mean over the matched cells of the sum over labels, each by itself as detectors have it."""
        import torch

        scores, corners, levels = self._said(batch)
        rows, true = upstream.padded([self._soft.cache.seen[at].picture for at in batch])
        table = torch.from_numpy(self._soft.table)
        given = table[rows.squeeze(2).long()]
        likeliest = given.argmax(2, keepdim=True).float()
        with torch.no_grad():
            chosen, which, _ = upstream.assigned(self._loss, scores, corners, levels, (likeliest, true))
        if not chosen.any():
            return (scores * 0).sum()
        temperature = self._soft.taught.temperature
        at = torch.arange(len(batch))[:, None].expand_as(which)
        wanted = torch.from_numpy(softened(given[at[chosen], which[chosen]].numpy(), temperature, True)).float()
        told: Tensor = divergence(wanted, scores.transpose(1, 2)[chosen], temperature, True).mean()
        return told

    def _said(self, batch: Sequence[int]) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """The student's scores (b, labels, n), the corners that it finds (b, n, 4), and the levels that both are of."""
        cache = self._soft.cache
        if self._parts == {LAST}:
            levels = cache.hidden(batch)
            return self._network.last(levels), cache.corners(batch), levels
        levels = levels_for(self._network, self._parts, cache, batch)
        scores = self._network.class_branch(levels)
        if not self._parts & {"boxes", "neck", "backbone"}:
            return scores, cache.corners(batch), levels
        return scores, self._network.decode(self._network.box_branch(levels), levels).detach(), levels


def _example(item: Item, output: DetectionOutput) -> DetectionExample:
    return DetectionExample(item, tuple(box(corners, NAMED.names[0]) for corners in output.boxes))
