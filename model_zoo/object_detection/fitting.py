"""Training some parts of a network on cached views."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.descent import Descent, Step
from model_zoo.object_detection import upstream
from model_zoo.object_detection.cache import Cache, View, as_batch
from model_zoo.object_detection.hyperparameters import Hyperparameters
from model_zoo.object_detection.network import LAST, PARTS, Network
from model_zoo.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

NEW = 8
"""How many times faster than pretrained layers a branch learns that nothing was pretrained for."""
COUNTED = 64
"""Views that are enough for the statistics of normalisation."""

LossMaker = Callable[[Network, Sequence[str], Cache, FloatArray], Callable[[Sequence[int]], "Tensor"]]
"""From a network, the parts of it that are trained, the views and which labels occur (labels,), to the loss of a batch
of views."""


def fit_parts(
    start: Network,
    parts: Sequence[str],
    cache: Cache,
    chosen: Sequence[int],
    steps: int,
    hyper: Hyperparameters,
    seed: int,
    step: Step,
    lossy: LossMaker | None = None,
) -> tuple[Network, float]:
    """A network that shares all but `parts` with `start`, trained on the chosen views; and its mean loss at the end.

    Normalisation keeps its pretrained statistics, for those of a handful of images would be worse, unless the whole
    network is trained.
    """

    network = start.own(parts)
    groups = _groups(network, frozenset(parts), hyper)
    weights = [weight for group in groups for weight in group["params"]]
    for weight in weights:
        weight.requires_grad_(True)
    optimizer = _optimizer(groups, hyper)
    network.normalise_anew("backbone" in parts)
    loss_of = (lossy or DetectionLoss)(network, parts, cache, _present(cache, chosen, len(network.names)))
    descent = Descent(steps, hyper.batch, seed, hyper.warmup, hyper.schedule == "cosine", hyper.patience)
    loss = descent.run(optimizer, chosen, loss_of, step)
    for weight in weights:
        weight.requires_grad_(False)
    if "backbone" in parts:
        _recount(network, cache, chosen, hyper.batch)
    network.normalise_anew(False)
    return network, loss


def _recount(network: Network, cache: Cache, chosen: Sequence[int], batch: int) -> None:
    """Count the statistics of normalisation anew, for those kept while training belong to other weights than the
    averaged ones (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, section 3.2)."""
    import torch

    with network.counting(), torch.no_grad():
        for first in range(0, min(len(chosen), COUNTED), batch):
            cache.check()
            levels = levels_for(network, PARTS, cache, chosen[first : first + batch])
            network.answer(levels)
            if network.has_masks:
                network.mask_branch(levels)
                network.prototypes(levels)
            if network.has_angles:
                network.angle_branch(levels)


def levels_for(network: Network, parts: Collection[str], cache: Cache, chosen: Sequence[int]) -> list[Tensor]:
    """What the head of a network looks at in these views, when `parts` of it differ from what made the cache."""
    if "backbone" in parts:
        return network.pyramid(network.backbone(as_batch([cache.seen[at].picture.pixels for at in chosen])))
    if "neck" in parts:
        return network.pyramid(cache.kept(chosen))
    return cache.levels(chosen)


@cache
def has_bfloat16() -> bool:
    """Whether torch knows this processor to compute in bfloat16; others only pretend to, and are slower so."""
    import torch

    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # absent from torch 2.9 and before
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def coarsely() -> AbstractContextManager[Any]:
    """Within it convolutions are computed in bfloat16 where that is faster: half the time of a step. Weights, their
    averages and the loss stay in full precision. What is cached in half precision must be looked up outside of it."""
    import torch

    return torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16())


class DetectionLoss:
    """Ultralytics' loss on the parts of a network that are trained; what is frozen comes out of the cache."""

    masks = False
    angles = False

    def __init__(self, network: Network, parts: Sequence[str], cache: Cache, present: FloatArray) -> None:
        self._network = network
        self._parts = frozenset(parts)
        self._cache = cache
        self._loss = upstream.detection_loss(
            network.head, present, masks=self.masks and "masks" in self._parts, angles=self.angles
        )

    def __call__(self, batch: Sequence[int]) -> Tensor:
        seen = [self._cache.seen[at] for at in batch]
        if self._parts <= {LAST, "classes"}:
            return self._of_classes(batch, seen)
        levels = levels_for(self._network, self._parts, self._cache, batch)
        scores = self._cache.scores(self._network, batch) if self._parts == {"boxes"} else None
        with coarsely():
            boxes = self._network.box_branch(levels)
            scores = self._network.class_branch(levels) if scores is None else scores
        answers = {"boxes": boxes.float(), "scores": scores.float(), "feats": levels}
        parts, _ = self._loss({**answers, **self._answers(levels)}, {**_targets(seen), **self._truths(seen, levels)})
        total: Tensor = parts.sum() / len(batch)
        return total

    def _answers(self, levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """What a larger head says besides."""
        return {}

    def _truths(self, seen: Sequence[View], levels: Sequence[Tensor]) -> dict[str, Tensor]:
        """What is true besides."""
        return {}

    def _of_classes(self, batch: Sequence[int], seen: Sequence[View]) -> Tensor:
        if self._parts == {LAST}:
            levels = self._cache.hidden(batch)
            scores = self._network.last(levels)
        else:
            levels = self._cache.levels(batch)
            with coarsely():
                scores = self._network.class_branch(levels)
            scores = scores.float()
        targets = upstream.padded([one.picture for one in seen])
        loss: Tensor = upstream.class_loss(self._loss, scores, self._cache.corners(batch), levels, targets)
        return loss


def _present(cache: Cache, chosen: Sequence[int], count: int) -> FloatArray:
    """1 for each label that has an object in the chosen views, else 0: what a few images lack is not thereby known to
    be rare, and a label that the network knows must not be forgotten for it."""
    seen = [cache.seen[at].picture.labels for at in chosen]
    present: FloatArray = np.zeros(count, np.float32)
    present[np.unique(np.concatenate(seen)) if seen else []] = 1
    return present


def _groups(network: Network, parts: frozenset[str], hyper: Hyperparameters) -> list[dict[str, Any]]:
    """Parameters with their rates. The last layer knows nothing of these labels, so by itself it learns fast."""
    last = [weight for branch in network.head.cv3 for weight in branch[2].parameters()]
    if not parts & {LAST, "classes"}:
        last = []
    new = [weight for _, module in network.modules_of("angles") for weight in module.parameters()]
    new = new if "angles" in parts else []
    ours = {id(weight) for weight in (*last, *new)}
    others = [
        weight
        for part in PARTS
        if part in parts
        for _, module in network.modules_of(part)
        for weight in module.parameters()
        if id(weight) not in ours
    ]
    if not others:
        return [{"params": last, "base": hyper.head_rate}]
    if not last:
        return [{"params": others, "base": hyper.learning_rate}]
    groups = [{"params": last, "base": 2 * hyper.learning_rate}, {"params": others, "base": hyper.learning_rate}]
    return [*groups, {"params": new, "base": NEW * hyper.learning_rate}] if new else groups


def _optimizer(groups: list[dict[str, Any]], hyper: Hyperparameters) -> Any:
    import torch

    if hyper.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=1.0, momentum=0.9, nesterov=True, weight_decay=hyper.weight_decay)
    return torch.optim.AdamW(groups, lr=1.0, weight_decay=hyper.weight_decay)


def _targets(seen: Sequence[View]) -> dict[str, Tensor]:
    """The true boxes of a batch as Ultralytics' loss takes them: centre and size, as shares of the side."""
    import torch

    side = seen[0].picture.pixels.shape[0]
    boxes = np.concatenate([one.picture.boxes for one in seen]).reshape(-1, 2, 2) / side
    centres = np.concatenate([boxes.mean(axis=1), boxes[:, 1] - boxes[:, 0]], axis=1).astype(np.float32)
    images = np.concatenate([np.full(len(one.picture.boxes), at, np.float32) for at, one in enumerate(seen)])
    labels = np.concatenate([one.picture.labels for one in seen]).astype(np.float32)
    return {
        "batch_idx": torch.from_numpy(images),
        "cls": torch.from_numpy(labels),
        "bboxes": torch.from_numpy(centres),
    }
