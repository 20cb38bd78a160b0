"""What a reader is told beside the path."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from backend.simulation.labelled import Kind


class MaskValues(str, Enum):
    """What the numbers in a mask stand for."""

    INSTANCE = "instance"
    """Each number but 0 is one object, all of one class."""
    CLASS = "class"
    """Each number but 0 is a class; the objects of a class are one region."""


@dataclass(frozen=True)
class Options:
    """`kind` is one that the format can be read as."""

    kind: Kind
    mask_values: MaskValues = MaskValues.INSTANCE
