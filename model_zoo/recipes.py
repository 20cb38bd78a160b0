"""How a family is trained: a named recipe with hyperparameters, chosen by evidence and recorded with the version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Hyperparameter = float | int | str | bool


@dataclass(frozen=True)
class Recipe:
    """A recipe's name, and the hyperparameters that override the family's own choice."""

    name: str = "micro"
    overrides: Mapping[str, Hyperparameter] = field(default_factory=dict)
