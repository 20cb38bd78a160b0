"""What a process shares between all its models: encoders, loaded once, on first use."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from model_zoo.base import Encoder
from model_zoo.weights import locate

AnyEncoder = TypeVar("AnyEncoder", bound=Encoder)
Shared = TypeVar("Shared")


class Runtime:
    """Hands out one encoder per class and weights file. Thread-safe; holds no tensors until an encoder encodes."""

    def __init__(self, weights_dir: Path | None = None) -> None:
        self.weights_dir = weights_dir
        self._lock = Lock()
        self._encoders: dict[tuple[type[Encoder], str | None], Encoder] = {}
        self._shared: dict[Hashable, Any] = {}
        self._used: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()

    def encoder(self, kind: type[AnyEncoder], file: str | None = None) -> AnyEncoder:
        """The encoder of this kind; `file` names weights inside the weights folder. Raises `WeightsNotFound`."""
        with self._lock:
            known = self._encoders.get((kind, file))
            if known is None:
                known = kind(locate(kind.weights, self.weights_dir, file))
                self._encoders[(kind, file)] = known
            assert isinstance(known, kind)  # noqa: S101 - keyed by class just above
            return known

    def shared(self, key: Hashable, make: Callable[[], Shared]) -> Shared:
        """What `make` gave for this key the first time, for whatever else models have in common."""
        with self._lock:
            if key not in self._shared:
                self._shared[key] = make()
            found: Shared = self._shared[key]
            return found

    def while_used(self, key: Hashable, made: Shared) -> Shared:
        """What is known under this key for as long as anybody uses it, else `made`, which is known from then on."""
        with self._lock:
            found: Shared = self._used.setdefault(key, made)
            return found


@cache
def shared_runtime(weights_dir: Path | None = None) -> Runtime:
    """The process's runtime for one weights folder, made when first asked for."""
    return Runtime(weights_dir)
