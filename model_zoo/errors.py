"""The zoo's errors. Messages say what was got, what was wanted, and what to do next."""

from __future__ import annotations


class ZooError(Exception):
    """Base of everything the zoo raises on purpose."""


class UnknownFamily(ZooError):
    """A name that the registry does not list."""


class WeightsNotFound(ZooError):
    """Pretrained weights that no place in the search order has."""


class CheckpointError(ZooError):
    """A checkpoint that is damaged, incomplete, or of another family or label list."""


class UnreadableInput(ZooError):
    """An image or a text that cannot be decoded within the bounds."""


class TrainingImpossible(ZooError):
    """Too little, or contradictory, to learn from: no example, say."""


class Cancelled(ZooError):
    """The caller asked for the work to stop."""


class MissingExtra(ZooError):
    """A family whose packages are an extra that is not installed."""


class NotCompilable(ZooError):
    """A network that has no compiled form, or one that cannot be loaded; PyTorch runs it all the same."""
