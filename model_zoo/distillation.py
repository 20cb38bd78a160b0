"""Learning from a larger model, too: what it says of items that nobody has labelled.

The loss is `(1 - weight) * task + weight * T^2 * KL` (Hinton et al. 2015, https://arxiv.org/abs/1503.02531): the task's
own over what people have labelled, and over the other items the divergence of the student's answers from the teacher's,
both at a temperature T.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from model_zoo.calibration import TINY
from model_zoo.errors import TrainingImpossible
from model_zoo.linear.head import sigmoid, softmax
from model_zoo.postprocess import ClassificationPostprocess, EntityPostprocess, Postprocess
from model_zoo.postprocess.objects import ObjectPostprocess
from model_zoo.types import ClassificationOutput, DetectionOutput, EntityOutput, Item, LabelSpace, Output

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.float64]
Summed = TypeVar("Summed", float, "Tensor")

WEIGHT = 0.5
TEMPERATURE = 2.0


@dataclass(frozen=True)
class Distillation:
    """What a teacher says of `items`, which nobody has labelled: `outputs`, one an item, calibrated, in the order of
    the student's labels; of boxes those alone that it would show.

    `weight` and `temperature` are those of the loss. `without` gives the outputs of a teacher that has learnt from none
    of the examples at these positions, for models that must not have seen them, not even through their teacher; the
    same list where it has never learnt from any.
    """

    items: Sequence[Item]
    outputs: Sequence[Output]
    weight: float = WEIGHT
    temperature: float = TEMPERATURE
    without: Callable[[Sequence[int]], Sequence[Output]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(self.items) != len(self.outputs):
            raise ValueError(f"Got {len(self.outputs)} outputs for {len(self.items)} items, wanted one an item.")
        if not 0 <= self.weight <= 1 or not self.temperature > 0:
            raise TrainingImpossible(
                f"Got lambda {self.weight} and temperature {self.temperature}, wanted a lambda from 0 to 1 and a "
                "temperature above 0; 0.5 and 2 are usual."
            )

    def leaving_out(self, positions: Sequence[int]) -> Distillation | None:
        """The same by a teacher that has not learnt from the examples at these positions; None where the others are too
        few to teach one."""
        if self.without is None:
            return self
        try:
            return replace(self, outputs=self.without(positions))
        except TrainingImpossible:
            return None

    def loss(self, task: Summed, divergence: Summed) -> Summed:
        """What is minimised; `divergence` is taken at the temperature."""
        return (1 - self.weight) * task + self.weight * self.temperature**2 * divergence


def softened(probabilities: npt.NDArray[np.floating[Any]], temperature: float, independent: bool) -> Array:
    """Probabilities (..., classes) as they are where the scores behind them are divided by `temperature`: of one class
    that holds, or, where `independent`, of each by itself."""
    clipped = np.clip(probabilities.astype(np.float64), TINY, 1 - TINY)
    if independent:
        return sigmoid((np.log(clipped) - np.log1p(-clipped)) / temperature)
    return softmax(np.log(clipped) / temperature)


def entropy(probabilities: Array, independent: bool) -> Array:
    """Of each row (...,) of probabilities (..., classes), in nats; the sum of the classes' own where `independent`."""
    clipped = np.clip(probabilities, TINY, 1 - TINY)
    own: Array = -(probabilities * np.log(clipped)).sum(axis=-1)
    return own - ((1 - probabilities) * np.log1p(-clipped)).sum(axis=-1) if independent else own


def divergence(teacher: Tensor, scores: Tensor, temperature: float, independent: bool) -> Tensor:
    """KL (...,) of what `scores` (..., classes) say at the temperature from the teacher's probabilities, which are
    softened already."""
    import torch
    from torch.nn.functional import log_softmax, logsigmoid

    sure, scaled = teacher.clamp(TINY, 1 - TINY), scores / temperature
    if not independent:
        one: Tensor = (teacher * (sure.log() - log_softmax(scaled, -1))).sum(-1)
        return one
    held = teacher * (sure.log() - logsigmoid(scaled))
    other = (1 - teacher) * (torch.log1p(-sure) - logsigmoid(-scaled))
    both: Tensor = (held + other).sum(-1)
    return both


def as_taught(output: Output, postprocess: Postprocess, columns: Sequence[int], labels: LabelSpace) -> Output:
    """A teacher's output calibrated, with the columns (labels,) of its own that the student's `labels` are; of boxes
    only those that it would show. Raises `TrainingImpossible` for an output that no student can learn from."""
    if isinstance(output, ClassificationOutput) and isinstance(postprocess, ClassificationPostprocess):
        chances = postprocess.calibration(output.probabilities)[list(columns)]
        total = 1.0 if labels.multiple else float(chances.sum())
        return ClassificationOutput((chances / max(total, TINY)).astype(np.float32))
    if isinstance(output, EntityOutput) and isinstance(postprocess, EntityPostprocess):
        found = np.clip(postprocess.calibration(output.probabilities), 0, 1)
        return replace(output, probabilities=np.ascontiguousarray(found[:, list(columns)], np.float32))
    if isinstance(output, DetectionOutput) and isinstance(postprocess, ObjectPostprocess):
        own = LabelSpace(tuple(str(column) for column in range(output.probabilities.shape[1])))
        rows, _, label, *_ = postprocess.shown(output, own, None)
        rows = rows[np.isin(label, list(columns))]
        shown = np.clip(postprocess.calibration(output.probabilities[rows]), 0, 1)[:, list(columns)]
        return DetectionOutput(output.boxes[rows], shown.astype(np.float32), output.width, output.height)
    raise TrainingImpossible(
        f"Got a {type(output).__name__} from a teacher, wanted what classifies, boxes or spans; leave the recipe out."
    )


def columns_of(known: Sequence[str], labels: LabelSpace, teacher: str) -> tuple[int, ...]:
    """Where each of `labels` is among those that a teacher knows. Raises `TrainingImpossible` where one is not."""
    missing = [name for name in labels.names if name not in known]
    if missing:
        raise TrainingImpossible(
            f"The teacher {teacher} knows {_listed(known)}, and not {_listed(missing)}: wanted one that knows all "
            "labels of the project. Name a family, which is taught them first, or a version that has learnt them."
        )
    return tuple(list(known).index(name) for name in labels.names)


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(repr(name) for name in names[:most]) or "no label") + more
