"""A linear head learns together with the encoder below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.calibration import fit_platt, fit_temperature
from model_zoo.linear.fit import Hyperparameters, Sample, fit_head, judgeable, rotate
from model_zoo.linear.head import LinearHead
from model_zoo.programs.program import Array
from model_zoo.tuning.climb import Counts, Learner
from model_zoo.tuning.encoder import Body
from model_zoo.tuning.hyperparameters import Tuning
from model_zoo.types import ClassificationOutput, FloatArray, Input, Output

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 32


class HeadLearner(Learner):
    """`sample` are features of the frozen encoder, not rotated, with targets, one a given input; a head begins as micro
    fits it to them."""

    def __init__(
        self,
        body: Body,
        inputs: Sequence[Input],
        sample: Sample,
        hyper: Hyperparameters,
        tuning: Tuning,
        views: int,
        seed: int,
        check: Callable[[], None],
    ) -> None:
        self.body = body
        self._sample = sample
        self._hyper = hyper
        self._tuning = tuning
        self._check = check
        random = np.random.default_rng(seed)
        self._views: list[list[int]] = []
        self._owner: list[int] = []
        self._kept: list[Array] = []
        for at, value in enumerate(inputs):
            check()
            shown = body.views(value, views, random)
            self._views.append(list(range(len(self._owner), len(self._owner) + len(shown))))
            self._owner += [at] * len(shown)
            self._kept += shown
        self._kept = body.below(self._kept, check)
        self._head: Any = None
        self._chosen: list[int] | None = None
        self._learnt: npt.NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def views(self) -> Sequence[Sequence[int]]:
        return self._views

    def begin(self, chosen: Sequence[int]) -> None:
        import torch

        self.body.restart()
        some = np.zeros(len(self._sample.features), np.bool_)
        some[list(chosen)] = True
        self._chosen = list(chosen)
        turned, rotation = rotate(self._sample.part(some))
        begun = rotation.expand(fit_head(turned, self._hyper, self._check)[0])
        self._learnt = np.flatnonzero(begun.floor == 0)
        self._head = torch.nn.Linear(begun.dimensions, len(self._learnt))
        with torch.no_grad():
            self._head.weight.copy_(torch.from_numpy(begun.weight[self._learnt]))
            self._head.bias.copy_(torch.from_numpy(begun.bias[self._learnt]))

    def optimizer(self) -> Any:
        import torch

        groups = [
            {"params": list(self.body.learning.values()), "base": self._tuning.learning_rate},
            {"params": list(self._head.parameters()), "base": self._tuning.head_rate},
        ]
        return torch.optim.AdamW(groups, lr=1.0, weight_decay=self._tuning.weight_decay)

    def loss(self, views: Sequence[int]) -> Tensor:
        import torch

        self._check()
        scores = self._head(self.body.above([self._kept[view] for view in views]))
        targets = self._sample.targets[[self._owner[view] for view in views]][:, self._learnt]
        wanted = torch.from_numpy(targets.astype(np.float32))
        if self._sample.multiple:
            return torch.nn.functional.binary_cross_entropy_with_logits(scores, wanted)
        return torch.nn.functional.cross_entropy(scores, wanted)

    def head(self) -> LinearHead:
        """One that is fitted anew, as micro does it, to what the network makes of the examples now: on hand signs it is
        right more often than that which the network learnt with."""
        if self._chosen is None:
            raise ValueError("Got a learner that has not begun; begin it first.")
        sample, chosen = self._sample, self._chosen
        rows = self.features(chosen).astype(np.float64)
        turned, rotation = rotate(Sample(rows, sample.targets[chosen], None, sample.multiple, sample.dimensions))
        return rotation.expand(fit_head(turned, self._hyper, self._check)[0])

    def features(self, examples: Sequence[int]) -> FloatArray:
        """Of the examples as they are, by the network as it is now."""
        import torch

        rows = [np.empty((0, self._sample.dimensions), np.float32)]
        for start in range(0, len(examples), AT_ONCE):
            self._check()
            with torch.inference_mode():
                plain = [self._kept[self._views[at][0]] for at in examples[start : start + AT_ONCE]]
                rows.append(self.body.above(plain).numpy())
        return np.concatenate(rows)

    def answers(self, examples: Sequence[int]) -> list[Output]:
        return [ClassificationOutput(row) for row in self.head().probabilities(self.features(examples))]

    def counts(self, outputs: Sequence[Output], examples: Sequence[int]) -> Counts:
        return counts(table(outputs), self._sample.targets[list(examples)], self._sample.multiple)

    def surprise(self, outputs: Sequence[Output], examples: Sequence[int]) -> float:
        return surprise(table(outputs), self._sample.targets[list(examples)], self._sample.multiple)

    def fair(self, chosen: Sequence[int], examples: Sequence[int]) -> npt.NDArray[np.bool_]:
        some = np.zeros(len(self._sample.features), np.bool_)
        some[list(chosen)] = True
        return judgeable(self._sample.part(some), self._sample.targets[list(examples)])


def table(outputs: Sequence[Output]) -> FloatArray:
    """Probabilities (outputs, labels)."""
    rows = [output.probabilities for output in outputs if isinstance(output, ClassificationOutput)]
    return np.stack(rows) if rows else np.empty((0, 1), np.float32)


def counts(probabilities: FloatArray, targets: npt.NDArray[np.bool_], multiple: bool) -> Counts:
    """As of `climb.Counts`: where one label holds, the likeliest is answered, else all above one half."""
    shown = (
        probabilities > 0.5 if multiple else np.eye(probabilities.shape[1], dtype=bool)[probabilities.argmax(axis=1)]
    )
    return np.stack([(shown & targets).sum(axis=1), shown.sum(axis=1), targets.sum(axis=1)], axis=1).astype(np.float64)


def surprise(probabilities: FloatArray, targets: npt.NDArray[np.bool_], multiple: bool) -> float:
    """The mean log loss once calibrated: how sure a network is changes from epoch to epoch, and is mended later."""
    if not len(targets):
        return 0.0
    fitted = fit_platt(probabilities, targets) if multiple else fit_temperature(probabilities, targets.argmax(axis=1))
    likely = np.clip(fitted(probabilities).astype(np.float64), 1e-9, 1 - 1e-9)
    if multiple:
        return float(-np.where(targets, np.log(likely), np.log1p(-likely)).mean())
    return float(-np.log(likely[targets]).mean())
