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
        return self._notes.exists(_note(program))

    def adopt(self, program: Program) -> bool:
        """Swap the program's form in, if there is one and it agrees with PyTorch. Raises `NotCompilable` where it will
        never do, `StoreError`."""
        from model_zoo.programs import openvino

        folder = self._store.find(openvino.form_key(program))
        if folder is None:
            return False
        form = openvino.load(folder, self._threads)
        if not self.known(program):
            self._try(program, form)
        program.adopt(form)
        log.info("%s runs as compiled by %s.", program.key, form.name)
        return True

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

    def _try(self, program: Program, form: Form) -> None:
        from model_zoo.programs.program import agrees, deviations

        found = deviations(program, form)
        if not agrees(program, found):
            raise NotCompilable(
                f"{program.key} as compiled is off by {found}, wanted at most {program.tolerances}; PyTorch runs it."
            )
        self._notes.write(_note(program), json.dumps({"key": program.key, "deviations": found}).encode())


def _note(program: Program) -> str:
    from model_zoo.programs import openvino

    return f"{openvino.hardware()}/{openvino.form_key(program)}.json"
