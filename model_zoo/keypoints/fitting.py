"""Training a head on cached views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.descent import Descent, Step
from model_zoo.keypoints.head import REACH, Shape, patches
from model_zoo.keypoints.hyperparameters import Hyperparameters
from model_zoo.object_detection.cache import Levels, View, as_batch
from model_zoo.object_detection.network import Network
from model_zoo.poses import SEEN, UNKNOWN
from model_zoo.types import FloatArray

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

TUNED = ("backbone", "neck")
"""Parts of the network that are trained where all of it is: its own head is not looked at."""
AFTERWARDS = 0.2
"""Share of its learning rate at which a head goes on that has been trained on the frozen network."""
FOCUS = 1.5
"""How far cells that are told apart already count less (Lin et al. 2017, https://arxiv.org/abs/1708.02002)."""
SPREAD = 1.5
"""Cells; width of the bump on a point's map."""
NEAR = 2.0
"""Cells around a point, within which each says where it is."""


@dataclass(frozen=True)
class Prior:
    """What another head says of a view's true objects: where their points are (n, k, 2) in pixels, the log-odds that
    they are located (n, k), the cell (n, 2) in pixels that says so, and whether it found the object at all (n,)."""

    places: FloatArray
    odds: FloatArray
    cells: FloatArray
    found: npt.NDArray[np.bool_]


def fit(
    head: Module,
    shape: Shape,
    cache: Levels,
    chosen: Sequence[int],
    steps: int,
    hyper: Hyperparameters,
    seed: int,
    step: Step,
    priors: Sequence[Prior] | None = None,
) -> float:
    """Train `head`, in place, on the chosen views; the mean loss of the last of them. `priors`, one a view, where
    another head finds the objects."""
    import torch

    group = {"params": list(head.parameters()), "base": hyper.learning_rate}
    optimizer = torch.optim.AdamW([group], weight_decay=hyper.weight_decay)

    def loss_of(batch: Sequence[int]) -> Tensor:
        maps, known = shape.split(head(cache.levels(batch))), [priors[at] for at in batch] if priors else None
        return _loss(maps, shape, [cache.seen[at] for at in batch], known)

    loss = Descent(steps, hyper.batch, seed, patience=hyper.patience).run(optimizer, chosen, loss_of, step)
    head.requires_grad_(False)
    return loss


def fit_whole(
    network: Network,
    head: Module,
    shape: Shape,
    cache: Levels,
    chosen: Sequence[int],
    steps: int,
    hyper: Hyperparameters,
    seed: int,
    step: Step,
) -> tuple[Network, float]:
    """A copy of the network, trained together with `head`, in place, on the chosen views; and the mean loss of the last
    of them. Normalisation keeps its statistics: those of a handful of images would be worse."""
    import torch

    own = network.own(TUNED)
    weights = [weight for part in TUNED for _, module in own.modules_of(part) for weight in module.parameters()]
    trained = [*weights, *head.parameters()]
    for weight in trained:
        weight.requires_grad_(True)
    groups: list[dict[str, Any]] = [
        {"params": weights, "base": hyper.network_rate},
        {"params": list(head.parameters()), "base": hyper.learning_rate * AFTERWARDS},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=hyper.weight_decay)

    def loss_of(batch: Sequence[int]) -> Tensor:
        seen = [cache.seen[at] for at in batch]
        return _loss(shape.split(head(levels_of(own, shape, seen))), shape, seen, None)

    loss = Descent(steps, hyper.batch, seed, patience=hyper.patience).run(optimizer, chosen, loss_of, step)
    for weight in trained:
        weight.requires_grad_(False)
    return own, loss


def levels_of(network: Network, shape: Shape, seen: Sequence[View]) -> list[Tensor]:
    """What a head of that shape lies on, of views that are in no cache."""
    images = as_batch([view.picture.pixels for view in seen])
    levels = network.pyramid(network.backbone(images))
    return [*levels, patches(images, min(network.strides))] if shape.whole else levels


@dataclass(frozen=True)
class _Objects:
    """All objects of a batch, n of them, in cells of the maps: the picture each is in (n,), its centre (n, 2), sides
    (n, 2), kind (n,), points (n, k, 2) and their states (n, k)."""

    picture: Tensor
    centre: Tensor
    sides: Tensor
    kind: Tensor
    points: Tensor
    states: Tensor


def _objects(seen: Sequence[View], cells: int) -> _Objects:
    import torch

    pictures = [view.picture for view in seen]
    scale = cells / pictures[0].pixels.shape[0]
    boxes = np.concatenate([one.boxes for one in pictures]).reshape(-1, 2, 2) * scale
    marks = [one.marks for one in pictures if one.marks is not None]
    return _Objects(
        torch.from_numpy(np.concatenate([np.full(len(one.boxes), at) for at, one in enumerate(pictures)])).long(),
        torch.from_numpy(boxes.mean(axis=1)).float(),
        torch.from_numpy(boxes[:, 1] - boxes[:, 0]).float(),
        torch.from_numpy(np.concatenate([one.labels for one in pictures])).long(),
        torch.from_numpy(np.concatenate([one.places for one in marks]) * scale).float(),
        torch.from_numpy(np.concatenate([one.states for one in marks])).long(),
    )


def _loss(maps: dict[str, Tensor], shape: Shape, seen: Sequence[View], priors: Sequence[Prior] | None) -> Tensor:
    """The sum of what is wrong with centres, sides, points and what is known of them, each about 1 for a guess."""
    import torch

    cells = maps["located"].shape[-1]
    objects = _objects(seen, cells)
    if priors is not None:
        return _of_prior(maps, objects, seen, priors, cells)
    total = _bumps(maps["centres"], _centres(objects, shape, len(seen), cells)) / max(len(objects.kind), 1)
    if not len(objects.kind):
        return total
    known = objects.states > UNKNOWN
    heat = torch.zeros_like(maps["heat"])
    spread = torch.full((len(known), shape.points), SPREAD)
    _draw(heat, objects.picture, objects.points, spread, known)
    total = total + _bumps(maps["heat"], heat) / known.sum().clamp(min=1)
    total = total + _distances(maps, objects, known, cells)
    home = objects.centre[:, None].expand_as(objects.points)
    with torch.no_grad():
        shifts = _at(maps["shifts"], objects.picture, objects.centre).view(len(known), -1, 2) * REACH
        there = torch.where(known[..., None], objects.points, home + shifts)
    odds = {name: _odds(maps, name, objects, objects.centre, there) for name in ("located", "seen")}
    return total + _known(odds, objects.states)


def _of_prior(
    maps: dict[str, Tensor], objects: _Objects, seen: Sequence[View], priors: Sequence[Prior], cells: int
) -> Tensor:
    """What is wrong with what is said of points that another head has found."""
    import torch

    scale = cells / seen[0].picture.pixels.shape[0]
    found = torch.from_numpy(np.concatenate([prior.found for prior in priors]))
    places, homes, known = (
        torch.from_numpy(np.concatenate([getattr(prior, name) for prior in priors])).float()
        for name in ("places", "cells", "odds")
    )
    odds = {name: known + _odds(maps, name, objects, homes * scale, places * scale) for name in ("located", "seen")}
    if not found.any():
        return 0.0 * sum(one.sum() for one in maps.values())  # type: ignore[return-value]  # a tensor, for it has maps
    return _known({name: one[found] for name, one in odds.items()}, objects.states[found])


def _known(odds: dict[str, Tensor], states: Tensor) -> Tensor:
    """What is wrong about which points are located, and which of all are seen."""
    from torch.nn.functional import binary_cross_entropy_with_logits as entropy

    located: Tensor = entropy(odds["located"], (states > UNKNOWN).float())
    return located + entropy(odds["seen"], (states == SEEN).float())


def _odds(maps: dict[str, Tensor], name: str, objects: _Objects, homes: Tensor, places: Tensor) -> Tensor:
    """Log-odds (n, k): what the object's cell says of each point, and what the point's own cell says."""
    import torch

    here = [
        _at(maps[f"{name}_here"][:, [column]], objects.picture, places[:, column]) for column in range(places.shape[1])
    ]
    return _at(maps[name], objects.picture, homes) + torch.cat(here, 1)


def _at(maps: Tensor, picture: Tensor, places: Tensor) -> Tensor:
    """Values (n, channels) of the cells in which `places` (n, 2) are."""
    last = maps.shape[-1] - 1
    column, row = places.detach().floor().long().clamp(0, last).unbind(1)
    return maps[picture, :, row, column]


def _bumps(odds: Tensor, wanted: Tensor) -> Tensor:
    from torch.nn.functional import binary_cross_entropy_with_logits as entropy

    wrong: Tensor = entropy(odds, wanted, reduction="none")
    return (wrong * (odds.sigmoid() - wanted).abs() ** FOCUS).sum()


def _centres(objects: _Objects, shape: Shape, pictures: int, cells: int) -> Tensor:
    """Bumps on the centres, as wide as the objects ask for."""
    import torch

    wanted = torch.zeros(pictures, shape.kinds, cells, cells)
    if len(objects.kind):
        columns = torch.nn.functional.one_hot(objects.kind, shape.kinds).bool()
        spread = (objects.sides.prod(1).sqrt() / 10).clamp(0.8, 3.0)[:, None].expand(-1, shape.kinds)
        places = objects.centre[:, None].expand(-1, shape.kinds, -1)
        _draw(wanted, objects.picture, places, spread, columns)
    return wanted


def _draw(maps: Tensor, picture: Tensor, places: Tensor, spread: Tensor, which: Tensor) -> None:
    """Draw a bump of height 1 into the maps (b, k, h, w) for each of `places` (n, k, 2) of `which` (n, k)."""
    import torch

    cells = torch.arange(maps.shape[-1]) + 0.5
    for row, column in which.nonzero().tolist():
        x, y = places[row, column]
        width = 2 * spread[row, column] ** 2
        # The nearest cell is the top, wherever in it the point is.
        bump = (
            torch.exp(-((cells - x.floor() - 0.5) ** 2) / width)[None]
            * torch.exp(-((cells - y.floor() - 0.5) ** 2) / width)[:, None]
        )
        own = maps[picture[row], column]
        torch.maximum(own, bump, out=own)


def _distances(maps: dict[str, Tensor], objects: _Objects, known: Tensor, cells: int) -> Tensor:
    """How far off sides and points are: from the cells around the centre, in sizes of the object, and, for each cell
    near a point, in cells."""
    import torch

    grid = torch.arange(cells) + 0.5
    total = torch.zeros(())
    around = torch.tensor([[x, y] for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])
    size = objects.sides.max(1).values[:, None].clamp(min=1.0)
    for offset in around:
        home = (objects.centre + offset).floor().clamp(0, cells - 1) + 0.5
        sides = torch.nn.functional.softplus(_at(maps["sides"], objects.picture, home)) * REACH
        half = objects.sides / 2
        wanted = torch.cat([home - objects.centre + half, objects.centre + half - home], 1)
        total = total + ((sides - wanted).abs() / size).mean() / len(around)
        shifts = _at(maps["shifts"], objects.picture, home).view(len(home), -1, 2) * REACH
        wrong = (shifts - (objects.points - home[:, None])).abs().sum(2) / size
        total = total + 2 * (wrong * known).sum() / known.sum().clamp(min=1) / len(around)
    refined = maps["refined"].reshape(len(maps["refined"]), -1, 2, cells, cells)[objects.picture]
    across = objects.points[..., 0, None, None] - grid[None, None, None]
    down = objects.points[..., 1, None, None] - grid[None, None, :, None]
    near = (across.abs() < NEAR) & (down.abs() < NEAR) & known[..., None, None]
    wrong = (refined[:, :, 0] - across).abs() + (refined[:, :, 1] - down).abs()
    result: Tensor = total + (wrong * near).sum() / near.sum().clamp(min=1)
    return result


def distances_of(value: Any) -> Any:
    """Distances in cells from the outputs for sides, of NumPy: softplus, times their reach."""
    return np.logaddexp(0, value) * REACH
