"""How people want a control to be trained: what its tag asks for, and what the project's parameters ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backend.errors import InvalidRequest
from backend.labelstudio.config import Control, shorten
from backend.labelstudio.payloads import kind_of
from model_zoo.recipes import Hyperparameter, Recipe

RECIPE = "recipe"
"""The parameter that names a recipe; every other one is a hyperparameter of the family."""


def recipe_for(control: Control, parameters: Mapping[str, Any]) -> Recipe:
    """The control's own wishes before those for it in `parameters`, before those for all controls there."""
    own = parameters.get(control.name)
    wishes: dict[str, Hyperparameter] = {
        **_plain(parameters),
        **(_plain(own) if isinstance(own, Mapping) else {}),
        **control.hyperparameters,
    }
    named = wishes.pop(RECIPE, None)
    name = control.recipe or (named if isinstance(named, str) else None)
    return Recipe(name, wishes) if name else Recipe(overrides=wishes)


def read_parameters(value: Any) -> dict[str, Any]:
    """The extra params of a backend in Label Studio: an object, or its JSON. Raises `InvalidRequest`."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except ValueError:
            raise InvalidRequest(
                f'extra_params: got "{shorten(value)}", wanted a JSON object such as {{"epochs": 50}}. Correct it in '
                "the settings of the backend in Label Studio, or leave it empty."
            ) from None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidRequest(f'extra_params: got {kind_of(value)}, wanted an object such as {{"epochs": 50}}.')
    return dict(value)


def _plain(values: Mapping[str, Any]) -> dict[str, Hyperparameter]:
    return {name: value for name, value in values.items() if isinstance(value, bool | int | float | str)}
