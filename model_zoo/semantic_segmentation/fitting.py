"""Teaching a U-Net what the cells of views are: its decoder on cached levels, or all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_zoo.descent import Descent, Step
from model_zoo.semantic_segmentation.cache import Cache, pixels_of
from model_zoo.semantic_segmentation.hyperparameters import Hyperparameters
from model_zoo.semantic_segmentation.network import WHOLE, Network
from model_zoo.semantic_segmentation.views import UNKNOWN

if TYPE_CHECKING:
    from torch import Tensor

COUNTED = 32
"""Views that are enough for the statistics of normalisation."""
SMOOTH = 1.0
"""Cells added on both sides of the Dice loss: a label of a few cells in a batch must not weigh as much as the rest."""


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
    with network.learning() as weights:
        own = {id(weight) for weight in network.unet.encoder.parameters()} if parts == WHOLE else set()
        groups: list[dict[str, Any]] = [
            {"params": [weight for weight in weights if id(weight) not in own], "base": hyper.learning_rate},
            {"params": [weight for weight in weights if id(weight) in own], "base": hyper.encoder_rate},
        ]
        optimizer = torch.optim.AdamW([one for one in groups if one["params"]], weight_decay=hyper.weight_decay)

        def loss_of(batch: Sequence[int]) -> Tensor:
            return _loss(network.scores(_levels(network, cache, batch)), cache.classes(batch), hyper)

        loss = Descent(steps, hyper.batch, seed, patience=hyper.patience).run(optimizer, chosen, loss_of, step)
        _recount(network, cache, chosen, hyper.batch)
    return network, loss


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
