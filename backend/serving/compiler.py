"""A server's background thread that swaps compiled forms in as they appear in the store."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.allocator import give_back
from backend.errors import PrelabelError, StoreError
from backend.serving.compiling import Forms
from backend.serving.pool import LoadedVersion
from model_zoo.errors import ZooError

if TYPE_CHECKING:
    from model_zoo.programs.program import Program

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks for a form that is not there yet."""
ASK_AFTER = 30.0
"""Seconds without a form after which a worker is asked for one: the refresh after a training makes it unasked."""
AWAITED_FOR = 60.0
"""Seconds for which a form that a worker of this machine makes and tries is waited for where nobody waits for PyTorch:
a process that never loads that stays half the size."""
LOOK_FOR = 300.0
"""Seconds after which no form is expected any more: there is no worker, or it found that there can be none."""


@dataclass
class _Wanted:
    """A program without a compiled form, of a project's version. Weak: a version that left memory wants none."""

    program: weakref.ref[Program]
    uid: str | None
    version: str
    since: float
    asked: bool = False


class Compiler:
    """Offered versions move to their compiled forms; until then, and where there are none, PyTorch serves.

    `ask(uid, version)` is called once for a version whose forms nobody made in time.
    """

    def __init__(
        self,
        forms: Forms,
        ask: Callable[[str, str], None] = lambda uid, version: None,
        look_every: float = LOOK_EVERY,
        ask_after: float = ASK_AFTER,
        awaited_for: float = AWAITED_FOR,
    ) -> None:
        self._forms = forms
        self._ask = ask
        self._look_every = look_every
        self._ask_after = ask_after
        self._awaited_for = awaited_for
        self._seen: weakref.WeakSet[Program] = weakref.WeakSet()
        self._wanted: list[_Wanted] = []
        self._guard = threading.Lock()
        self._new = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prelabel-compiler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._new.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def offer(self, uid: str | None, version: LoadedVersion) -> None:
        """Have the version's programs compiled. Costs microseconds, except that a form which is known to be good is
        taken at once where PyTorch would have to be loaded first: that is ten times quicker."""
        programs = [program for control in version.controls.values() for program in control.model.programs()]
        with self._guard:
            fresh = [program for program in programs if program not in self._seen]
            self._seen.update(fresh)
        for program in fresh:
            if self._at_once(program):
                continue
            with self._guard:
                self._wanted.append(_Wanted(weakref.ref(program), uid, version.name, time.monotonic()))
            self._new.set()

    def take(self, program: Program) -> None:
        """Have a network that was not run yet begin in its form, if that is known to be good."""
        self._at_once(program)

    def wait_for(self, program: Program) -> None:
        """Return once the network has a form, or somebody has run it in PyTorch, or no form is likely to come."""
        until = time.monotonic() + self._awaited_for
        while self._forms.usable and not (program.started or self._at_once(program)):
            if time.monotonic() > until or self._stop.wait(self._look_every):
                return

    def _at_once(self, program: Program) -> bool:
        try:
            usable = self._forms.usable and not program.started and self._forms.known(program)
            return usable and self._forms.adopt(program)
        except (PrelabelError, ZooError) as error:
            log.warning("%s", error)
            return True

    def _run(self) -> None:
        while not self._stop.is_set():
            self._new.wait()
            self._new.clear()
            while not self._stop.is_set() and self._pending():
                self._turn()
                self._stop.wait(self._look_every)

    def _pending(self) -> list[_Wanted]:
        with self._guard:
            return list(self._wanted)

    def _turn(self) -> None:
        settled = [wanted for wanted in self._pending() if self._settled(wanted)]
        with self._guard:
            for wanted in settled:
                self._wanted.remove(wanted)
        if settled:
            give_back()

    def _settled(self, wanted: _Wanted) -> bool:
        """Whether there is nothing more to do for it."""
        program, waited = wanted.program(), time.monotonic() - wanted.since
        try:
            if program is None or not self._forms.usable or waited > LOOK_FOR:
                return True
            # Trying a form takes PyTorch: where that is not loaded, whoever made the form may be about to say.
            left = waited < self._awaited_for and not program.started and not self._forms.known(program)
            if not left and self._forms.adopt(program):
                return True
        except StoreError as error:
            log.warning("A compiled form cannot be read yet: %s", error)
        except ZooError as error:
            log.warning("%s", error)
            return True
        except Exception:  # a compiler that fails in a new way must end neither the thread nor the serving
            log.exception("%s could not be compiled; PyTorch runs it.", program.key if program else "A program")
            return True
        if waited > self._ask_after and not wanted.asked and wanted.uid is not None:
            wanted.asked = True
            self._ask(wanted.uid, wanted.version)
        return False
