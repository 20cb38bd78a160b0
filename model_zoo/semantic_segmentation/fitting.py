"""Teaching a U-Net what the cells of views are: its decoder on cached levels, or all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from model_zoo.semantic_segmentation.cache import Cache, pixels_of
from model_zoo.semantic_segmentation.hyperparameters import Hyperparameters
from model_zoo.semantic_segmentation.network import WHOLE, Network
from model_zoo.semantic_segmentation.views import UNKNOWN

if TYPE_CHECKING:
    from torch import Tensor

AVERAGED = 0.95
"""Decay of the moving average of the weights, which is what a training returns: few images make noisy steps."""
WARMUP = 0.1
"""Share of the steps in which the rate rises."""
COUNTED = 32
"""Views that are enough for the statistics of normalisation."""
LARGEST_STEP = 10.0
"""Norm to which gradients are cut."""
SMOOTH = 1.0
"""Cells added on both sides of the Dice loss: a label of a few cells in a batch must not weigh as much as the rest."""

Step = Callable[[float, float], None]
"""Told after each step: the share done and the loss; may raise."""


def fit(
    start: Network,
    parts: str,
    cache: Cache,
    chosen: Sequence[int],
    steps: int,
    hyper: Hyperparameters,
    seed: int,
    step: Step,
) -> tuple[Network, float]:
    """A network that shares all but `parts` with `start`, trained on the chosen views; and its mean loss at the end."""
    import torch

    network = start.copy(parts)
    random, order, losses = np.random.default_rng(seed), list[int](), list[float]()
    with network.learning() as weights:
        own = {id(weight) for weight in network.unet.encoder.parameters()} if parts == WHOLE else set()
        groups: list[dict[str, Any]] = [
            {"params": [weight for weight in weights if id(weight) not in own], "base": hyper.learning_rate},
            {"params": [weight for weight in weights if id(weight) in own], "base": hyper.encoder_rate},
        ]
        optimizer = torch.optim.AdamW([one for one in groups if one["params"]], weight_decay=hyper.weight_decay)
        average = [weight.detach().clone() for weight in weights]
        for done in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * _rate(done / steps)
            while len(order) < hyper.batch:
                order += [chosen[at] for at in random.permutation(len(chosen))]
            batch, order = order[: hyper.batch], order[hyper.batch :]
            loss = _loss(network.scores(_levels(network, cache, batch)), cache.classes(batch), hyper)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has not annotated it
            torch.nn.utils.clip_grad_norm_(weights, LARGEST_STEP)
            optimizer.step()
            decay = min(AVERAGED, (done + 1) / (done + 10))
            for mean, weight in zip(average, weights, strict=True):
                mean.lerp_(weight.detach(), 1 - decay)
            losses.append(float(loss.detach()))
            recent = float(np.mean(losses[-max(len(chosen) // hyper.batch, 1) :]))
            step((done + 1) / steps, recent)
        with torch.no_grad():
            for mean, weight in zip(average, weights, strict=True):
                weight.copy_(mean)
        _recount(network, cache, chosen, hyper.batch)
    return network, recent if losses else 0.0


def _levels(network: Network, cache: Cache, batch: Sequence[int]) -> list[Tensor]:
    if network.parts == WHOLE:
        return network.levels(pixels_of([cache.seen[at] for at in batch]))
    return cache.levels(batch)


def _recount(network: Network, cache: Cache, chosen: Sequence[int], batch: int) -> None:
    """Count the decoder's statistics of normalisation anew, for those kept while training belong to other weights than
    the averaged ones (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407, section 3.2)."""
    import torch

    layers = [layer for layer in network.unet.decoder.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    usual = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean of all batches
    with torch.no_grad():
        for first in range(0, min(len(chosen), COUNTED), batch):
            network.scores(_levels(network, cache, chosen[first : first + batch]))
    for layer, momentum in zip(layers, usual, strict=True):
        layer.momentum = momentum


def _rate(share: float) -> float:
    """Of the base rate: rising through the warm-up, then falling to a twentieth."""
    return float(min(1.0, (share + 1e-3) / WARMUP) * (0.05 + 0.95 * (1 + np.cos(np.pi * share)) / 2))


def _loss(scores: Tensor, classes: Tensor, hyper: Hyperparameters) -> Tensor:
    """Cross-entropy, and the Dice loss (Milletari et al. 2016, https://arxiv.org/abs/1606.04797) over the classes that
    the batch has: the first is led by large areas, the second gives each class the same weight."""
    import torch
    from torch.nn.functional import cross_entropy, one_hot

    known = classes != UNKNOWN
    if not known.any():
        return scores.sum() * 0.0
    entropy = cross_entropy(scores, classes, ignore_index=UNKNOWN)
    count = scores.shape[1]
    true = one_hot(classes.clamp(min=0), count).permute(0, 3, 1, 2).float() * known[:, None]
    found = scores.softmax(dim=1) * known[:, None]
    both, sides = ((found * true).sum(dim=(0, 2, 3)), (found + true).sum(dim=(0, 2, 3)))
    dice = (2 * both + SMOOTH) / (sides + SMOOTH)
    present = true.sum(dim=(0, 2, 3)) > 0
    total: Tensor = entropy + hyper.overlap_weight * (1 - dice[present]).mean()
    return torch.nan_to_num(total)
