"""A network's forward pass in whatever form it has now: PyTorch first, a compiled one once that is ready and agrees."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch.nn import Module

log = logging.getLogger(__name__)

Array = npt.NDArray[Any]
Arrays = tuple[Array, ...]

PYTORCH = "pytorch"


class Form(Protocol):
    """One way to run a network. Called by one thread at a time."""

    @property
    def name(self) -> str: ...

    def __call__(self, *arrays: Array) -> Arrays: ...


class Eager:
    """The network in PyTorch."""

    name = PYTORCH

    def __init__(self, module: Module) -> None:
        self.module = module

    def __call__(self, *arrays: Array) -> Arrays:
        import torch

        with torch.inference_mode():
            results = self.module(*map(torch.from_numpy, arrays))
            return tuple(result.numpy() for result in (results if isinstance(results, tuple) else (results,)))


class Program:
    """Runs a network. Safe for threads: calls go one by one, and all forms give the same within `tolerances`.

    `key` names the network with its weights; what was compiled for it is found under that name. `build` gives the
    network as a module from tensors to a tensor, or a tuple of them; it is called on first use. `probes` are inputs of
    several sizes on which a compiled form must agree. `tolerances` are absolute, one an output. `coarse`, where given,
    are means of absolute deviations, within which a form may compute in bfloat16: half the time, where a processor has
    it.
    """

    def __init__(
        self,
        key: str,
        build: Callable[[], Module],
        probes: Callable[[], Sequence[Arrays]],
        tolerances: tuple[float, ...],
        coarse: tuple[float, ...] | None = None,
    ) -> None:
        self.key = key
        self.probes = probes
        self.tolerances = tolerances
        self.coarse = coarse
        self._build = build
        self._form: Form | None = None
        self._eager: Eager | None = None
        self._running = Lock()
        self._building = Lock()

    @property
    def form(self) -> str:
        """The name of the form that it runs in now."""
        return self._form.name if self._form is not None else PYTORCH

    @property
    def started(self) -> bool:
        """Whether it has a form in memory, so that the next call need not build one."""
        return self._form is not None or self._eager is not None

    def __call__(self, *arrays: Array) -> Arrays:
        """The network's outputs for `arrays`, whose first dimension is the batch."""
        form = self._form
        if form is None:
            eager = self.eager()
            with self._running:
                return eager(*arrays)
        with self._running:
            try:
                return form(*arrays)
            except Exception:  # a compiled form may raise anything; where PyTorch answers, it was at fault
                results = self.eager()(*arrays)
                log.warning("%s failed as compiled by %s; PyTorch runs it now.", self.key, form.name, exc_info=True)
                self._form = None
                return results

    def eager(self) -> Eager:
        """The PyTorch form, built if need be."""
        with self._building:
            if self._eager is None:
                self._eager = Eager(self._build())
            return self._eager

    def adopt(self, form: Form) -> None:
        """Run in `form` from the next call on. PyTorch's is let go, and built again should this one fail."""
        self._form = form
        with self._building:
            self._eager = None


def deviations(program: Program, form: Form, mean: bool = False) -> tuple[float, ...]:
    """For each output, how far `form` is from PyTorch on the program's probes at most, or in the mean over the probe
    where that is largest; infinite where the shapes differ or a value is no number."""
    eager = program.eager()
    worst = [0.0] * len(program.tolerances)
    for probe in program.probes():
        expected, got = eager(*probe), form(*probe)
        if [one.shape for one in expected] != [one.shape for one in got]:
            return (float("inf"),) * len(worst)
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            difference = np.abs(one.astype(np.float64) - other)
            over = difference.mean() if mean and difference.size else difference.max(initial=0.0)
            far = float(over) if np.isfinite(difference).all() else float("inf")
            worst[index] = max(worst[index], far)
    return tuple(worst)


def agrees(program: Program, found: Sequence[float], coarse: bool = False) -> bool:
    """Whether deviations are within the program's tolerances: the ordinary ones, or those for bfloat16."""
    tolerances = (program.coarse or ()) if coarse else program.tolerances
    return len(tolerances) == len(found) and all(far <= most for far, most in zip(found, tolerances, strict=True))
