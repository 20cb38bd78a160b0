"""How networks learn from a handful of views: steps that are cut, at a rate that rises and falls, and averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

AVERAGED = 0.95
"""Decay of the moving average of the weights, which is what a training returns: few images make noisy steps."""
LARGEST_STEP = 10.0
"""Norm to which gradients are cut, as in Ultralytics' trainer."""

Step = Callable[[float, float], None]
"""Told after each step: the share done and the loss; may raise."""
Look = Callable[[], bool]
"""Asked now and then, while the averaged weights are in place: whether to end here."""


@dataclass(frozen=True)
class Descent:
    """How many `steps`, of how many views at once; in which share of them the rate rises, and whether it falls to a
    twentieth then; how many epochs without a lower loss end it, 0 for none. The seed decides the order of views."""

    steps: int
    batch: int
    seed: int
    warmup: float = 0.1
    falling: bool = True
    patience: int = 0

    def rate(self, share: float) -> float:
        """Of the base rate, after a share of the steps."""
        rising = min(1.0, (share + 1e-3) / self.warmup) if self.warmup > 0 else 1.0
        return float(rising * (0.05 + 0.95 * (1 + np.cos(np.pi * share)) / 2 if self.falling else 1.0))

    def run(
        self,
        optimizer: Any,
        chosen: Sequence[int],
        loss_of: Callable[[Sequence[int]], Tensor],
        step: Step,
        look: Look | None = None,
        every: int = 1,
    ) -> float:
        """Train what the optimizer holds, in groups with a `base` rate each, on the chosen views; the mean loss of the
        last epoch, 0 without a step. The weights end as their moving average. `look` is asked after `every` so many
        steps."""
        import torch

        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        average = [weight.detach().clone() for weight in weights]
        random = np.random.default_rng(self.seed)
        order: list[int] = []
        recent = _Recent(max(len(chosen) // self.batch, 1), self.patience)
        for done in range(self.steps):
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * self.rate(done / self.steps)
            while len(order) < self.batch:
                order += [chosen[at] for at in random.permutation(len(chosen))]
            batch, order = order[: self.batch], order[self.batch :]
            loss = loss_of(batch)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has not annotated it
            torch.nn.utils.clip_grad_norm_(weights, LARGEST_STEP)
            optimizer.step()
            decay = min(AVERAGED, (done + 1) / (done + 10))
            for mean, weight in zip(average, weights, strict=True):
                mean.lerp_(weight.detach(), 1 - decay)
            step((done + 1) / self.steps, recent.add(float(loss.detach())))
            if recent.stalled or (look is not None and (done + 1) % every == 0 and _ends(look, weights, average)):
                break
        _put(average, weights)
        return recent.mean


def _ends(look: Look, weights: Sequence[Tensor], average: Sequence[Tensor]) -> bool:
    """What `look` says of the averaged weights, which are taken away again."""
    kept = [weight.detach().clone() for weight in weights]
    _put(average, weights)
    answer = look()
    _put(kept, weights)
    return answer


def _put(values: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    import torch

    with torch.no_grad():
        for value, weight in zip(values, weights, strict=True):
            weight.copy_(value)


class _Recent:
    """The mean loss of the last epoch, and whether it has stopped falling."""

    def __init__(self, length: int, patience: int) -> None:
        self._length = length
        self._patience = patience
        self._losses: list[float] = []
        self._best = np.inf
        self._since = 0

    @property
    def mean(self) -> float:
        return float(np.mean(self._losses[-self._length :])) if self._losses else 0.0

    @property
    def stalled(self) -> bool:
        return 0 < self._patience <= self._since

    def add(self, loss: float) -> float:
        self._losses.append(loss)
        if len(self._losses) % self._length == 0:
            self._since = 0 if self.mean < self._best else self._since + 1
            self._best = min(self._best, self.mean)
        return self.mean
