"""What each action costs a person, in seconds: assumed, unless somebody has measured it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from backend.errors import InvalidRequest
from backend.simulation.labelled import Kind


@dataclass(frozen=True)
class Costs:
    """Seconds of one action each: leaving a label or region as it is, moving a region, giving another label, making
    one, taking one away."""

    accept: float
    move: float
    relabel: float
    add: float
    delete: float

    def to_json(self) -> dict[str, float]:
        return asdict(self)


_CHOICES = Costs(accept=1.0, move=0.0, relabel=2.5, add=2.0, delete=1.0)
"""A choice is made in about 2 s and checked in half of that: assumed, not measured."""
_REGIONS = Costs(accept=1.6, move=5.0, relabel=3.0, add=7.0, delete=2.0)
"""Checking a box takes 1.6 s (Papadopoulos et al., CVPR 2016) and drawing it 7 s by its four extreme points, the
quickest way known (Papadopoulos et al., ICCV 2017). The other three are assumed."""
_SPANS = Costs(accept=1.2, move=3.0, relabel=2.5, add=4.0, delete=1.5)
"""A span is marked with a key and a stroke of the mouse: assumed, not measured."""
_POINTS = Costs(accept=0.5, move=2.0, relabel=2.0, add=2.5, delete=1.0)
"""A point is placed with one click, and one of many is checked at a glance: assumed, not measured."""


def default_costs(kind: Kind) -> Costs:
    if kind is Kind.NAMED_ENTITIES:
        return _SPANS
    if kind is Kind.KEYPOINTS:
        return _POINTS
    return _CHOICES if kind in (Kind.IMAGE_CLASSIFICATION, Kind.TEXT_CLASSIFICATION, Kind.CROWD) else _REGIONS


def read_costs(file: Path, kind: Kind) -> Costs:
    """A JSON object with seconds for some of the actions; the others keep their defaults. Raises `InvalidRequest`."""
    names = [field.name for field in fields(Costs)]
    try:
        given = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidRequest(f"--costs: {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InvalidRequest(f"--costs: {file} is no JSON: {error}.") from None
    if (
        not isinstance(given, dict)
        or not all(_is_seconds(value) for value in given.values())
        or given.keys() - {*names}
    ):
        raise InvalidRequest(
            f'--costs: {file} wants an object of seconds such as {{"accept": 1, "add": 7}}; actions are '
            f"{', '.join(names)}."
        )
    return Costs(**{**default_costs(kind).to_json(), **given})


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
