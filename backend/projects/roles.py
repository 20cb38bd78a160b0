"""Which tasks are learnt from and which are kept aside to judge by: a pure function of recorded facts.

The holdout starts late, because the first labels are too few to spare one, and is for ever: the snapshot keeps
the role that a task had when it was first labelled.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

from backend.settings import Settings


class Role(str, Enum):
    """What a labelled task is for."""

    TRAIN = "train"
    HOLDOUT = "holdout"
    HOLDOUT_BLIND = "holdout_blind"
    """Holdout that people label without seeing a prediction, so that its labels do not echo the model."""

    CONTROL = "control"
    """Learnt from, and labelled without seeing a prediction, to measure on people what predictions save."""

    @property
    def trains(self) -> bool:
        return self in (Role.TRAIN, Role.CONTROL)

    @property
    def is_holdout(self) -> bool:
        return not self.trains

    @property
    def shows_prediction(self) -> bool:
        return self in (Role.TRAIN, Role.HOLDOUT)


@dataclass(frozen=True)
class RolePolicy:
    """How large the holdout is, after how many labelled tasks it starts, and which part of it is blind; which share of
    the other tasks is the control arm."""

    fraction: float = 0.2
    after: int = 25
    blind: float = 0.5
    control: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> RolePolicy:
        return cls(
            settings.holdout_fraction,
            settings.holdout_after,
            settings.holdout_blind_fraction,
            settings.control_fraction,
        )


def role(task_id: int, labelled_before: int, policy: RolePolicy = RolePolicy()) -> Role:
    """The role of a task that becomes labelled after `labelled_before` others were.

    For tasks that nobody has labelled yet, give the number labelled so far.
    """
    if labelled_before < policy.after or draw(task_id, "holdout") >= policy.fraction:
        return Role.CONTROL if draw(task_id, "control") < policy.control else Role.TRAIN
    return Role.HOLDOUT_BLIND if draw(task_id, "blind") < policy.blind else Role.HOLDOUT


def draw(task_id: int, purpose: str) -> float:
    """A number in [0, 1) that depends on nothing but the task and the purpose; uniform over tasks."""
    digest = hashlib.sha256(f"{purpose}:{task_id}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
