"""Moves loaded models to their compiled forms: found in the store, tried on this processor, swapped in by reference."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import StoreError
from backend.store.compiled import CompiledForms
from backend.store.local import LocalFolder
from model_zoo.errors import NotCompilable

if TYPE_CHECKING:
    from model_zoo.programs.program import Form, Program

log = logging.getLogger(__name__)


class Forms:
    """The compiled forms of one machine. `notes` is a folder on it for what was found out about its processor."""

    def __init__(self, store: CompiledForms, notes: Path, threads: int = 0, enabled: bool = True) -> None:
        self._store = store
        self._notes = LocalFolder(notes)
        self._threads = threads
        self._enabled = enabled

    @property
    def usable(self) -> bool:
        """Whether forms are wanted and the extra `compiled` is installed."""
        from model_zoo.programs import openvino

        return self._enabled and openvino.available()

    def known(self, program: Program) -> bool:
        """Whether its form was found to agree on this processor before, so that adopting it needs no PyTorch."""
        return any(self._notes.exists(_note(program, coarse)) for coarse in (True, False))

    def adopt(self, program: Program) -> bool:
        """Swap the program's form in, if there is one and it agrees with PyTorch. Raises `NotCompilable` where it will
        never do, `StoreError`."""
        from model_zoo.programs import openvino

        folder = self._store.find(openvino.form_key(program))
        if folder is None:
            return False
        reasons = []
        for coarse in self._precisions(program):
            form = openvino.load(folder, self._threads, coarse)
            reason = None if self._notes.exists(_note(program, coarse)) else self._tried(program, form, coarse)
            if reason is None:
                program.adopt(form)
                log.info("%s runs as compiled by %s%s.", program.key, form.name, ", in bfloat16" if coarse else "")
                return True
            reasons.append(reason)
        raise NotCompilable(f"{program.key} as compiled is {' and '.join(reasons)}; PyTorch runs it.")

    def make(self, program: Program) -> bool:
        """Adopt the program's form; export it first where the store has none. Raises like `adopt`."""
        from model_zoo.programs import openvino

        if self.adopt(program):
            return True
        with tempfile.TemporaryDirectory() as folder:
            openvino.export(program, Path(folder) / "form")
            self._store.put(openvino.form_key(program), Path(folder) / "form")
        return self.adopt(program)

    def make_all(self, programs: Iterable[Program]) -> None:
        """Adopt what can be; what cannot runs in PyTorch, and the log says why."""
        if not self.usable:
            return
        for program in programs:
            try:
                self.make(program)
            except (NotCompilable, StoreError) as error:
                log.warning("%s", error)

    def _precisions(self, program: Program) -> list[bool]:
        """Whether to try bfloat16, and what after it; what was found to agree before is not looked for again."""
        from model_zoo.programs import openvino

        if program.coarse is None or not openvino.has_bfloat16():
            return [False]
        found = [coarse for coarse in (True, False) if self._notes.exists(_note(program, coarse))]
        return found[:1] or [True, False]

    def _tried(self, program: Program, form: Form, coarse: bool) -> str | None:
        """What is wrong with the form, by the program's probes; one with which nothing is wrong is remembered."""
        from model_zoo.programs.program import agrees, deviations

        found = deviations(program, form, mean=coarse)
        if not agrees(program, found, coarse):
            wanted = f"{program.coarse} in bfloat16" if coarse else str(program.tolerances)
            return f"off by {found}, wanted at most {wanted}"
        self._notes.write(_note(program, coarse), json.dumps({"key": program.key, "deviations": found}).encode())
        return None


def _note(program: Program, coarse: bool) -> str:
    from model_zoo.programs import openvino

    precision = ".bf16" if coarse else ""
    return f"{openvino.hardware()}/{openvino.form_key(program)}{precision}.json"
