"""Programs as TorchScript files, which PyTorch alone runs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from model_zoo.errors import NotCompilable
from model_zoo.programs.program import Program


def export(program: Program, file: Path) -> None:
    """Write the program into `file`. Raises `NotCompilable` where a traced network would answer otherwise."""
    import numpy as np
    import torch

    eager = program.eager()
    first, *others = program.probes()
    with warnings.catch_warnings(), torch.inference_mode():
        # That tracing is deprecated, and that it takes a network's decisions as they fall: the other probes tell.
        warnings.simplefilter("ignore")
        trace: Any = torch.jit.trace
        traced = trace(eager.module, tuple(torch.from_numpy(array) for array in first), check_trace=False)
        for probe in others:
            results = traced(*(torch.from_numpy(array) for array in probe))
            found = [one.numpy() for one in (results if isinstance(results, tuple) else (results,))]
            for one, other in zip(eager(*probe), found, strict=True):
                if one.shape != other.shape or not np.allclose(one, other, atol=1e-3):
                    raise NotCompilable(f"{program.key} has no TorchScript form: it answers otherwise for other sizes.")
        torch.jit.save(traced, str(file))
