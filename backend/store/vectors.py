"""Arrays by name as safetensors bytes, and back: nothing that is loaded from a store can run code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from backend.errors import StoreError

Arrays = Mapping[str, npt.NDArray[Any]]


def pack(arrays: Arrays) -> bytes:
    return bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def unpack(data: bytes, what: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays that `pack` wrote; `what` names them in the `StoreError` for damaged bytes."""
    try:
        return dict(load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise StoreError(f"{what} is damaged: {error}. Delete it; it is computed anew.") from None
