"""Answers what is asked while a person annotates: within a budget, and never with an error.

Nothing that is kept here is needed for the next request (images, what engines saw in them, what was answered): it only
makes answers faster, and any process may get the next click.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backend.converters.base import Region
from backend.errors import PrelabelError
from backend.interactive.answers import Drawn, checked, regions
from backend.interactive.asks import WRITTEN, Ask, Mode, mode_of, read
from backend.interactive.captions import Captions
from backend.interactive.documents import document_of
from backend.interactive.texts import Texts
from backend.labelstudio.config import Control, LabellingConfig, every_control
from backend.labelstudio.payloads import read_task
from backend.serving.inputs import InputReader
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.interactive.own import OwnModels
    from backend.interactive.sight import Sight

log = logging.getLogger(__name__)

PEOPLE = 8
"""Answers that are made at a time."""
WAITING = 0.85
"""Share of the budget after which engines are no longer waited for; the rest is for drawing the answer."""


@dataclass
class Attempt:
    """One request on its way: `best` is what is answered when time is up."""

    deadline: float
    best: list[Region] = field(default_factory=list)


class Assistant:
    """One server process's. Safe for threads."""

    def __init__(
        self,
        inputs: InputReader,
        settings: Settings,
        earlier: Callable[[str, str], Sequence[str]] = lambda uid, control: (),
        own: OwnModels | None = None,
    ) -> None:
        """`earlier` gives the texts that people have submitted to a control of a project, oldest first; `own` asks the
        project's own models."""
        self._inputs = inputs
        self._own = own
        self._settings = settings
        self._texts = Texts(settings.weights_dir, earlier)
        self._threads = ThreadPoolExecutor(PEOPLE, thread_name_prefix="prelabel-assistant")
        self._lock = threading.Lock()
        self._seeing: Sight | None = None

    def answer(self, uid: str, xml: str, task: Any, context: Mapping[str, Any]) -> list[Region]:
        """The regions that the page shows; none where nothing can be answered, which the log explains."""
        budget = self._settings.interactive_budget
        attempt = Attempt(time.monotonic() + WAITING * budget)
        work = self._threads.submit(self._attempt, uid, xml, task, context, attempt)
        try:
            work.result(budget)
        except FutureTimeout:
            log.info("An interactive answer took longer than %g s: the best so far is sent.", budget)
        except PrelabelError as error:
            log.warning("An interactive request is not answered: %s", error)
        except Exception:  # whatever an odd request breaks must not keep the person from drawing by hand
            log.exception("An interactive request is not answered.")
        return attempt.best

    def prepare(self, uid: str, xml: str, task: Any) -> None:
        """Somebody has opened a task: begin what answers about it will need. Returns at once, raises nothing."""
        try:
            wanted = [(control, found) for control in every_control(xml) if (found := mode_of(control, xml))]
        except PrelabelError as error:
            log.debug("Nothing is prepared: %s", error)
            return
        if wanted:
            self._threads.submit(self._prepare, uid, xml, wanted, task)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            if self._seeing is not None:
                self._seeing.close()

    def _attempt(self, uid: str, xml: str, task: Any, context: Mapping[str, Any], attempt: Attempt) -> None:
        ask = read(xml, read_task(task, 0), context)
        if ask is None:
            return

        def keep(drawn: Sequence[Drawn], size: tuple[int, int] | None = None) -> None:
            attempt.best = checked(xml, regions(ask, drawn, size))

        if ask.mode is Mode.SPANS:
            document = document_of(ask.control, task, self._inputs.read(ask.control, task))
            self._texts.spans(uid, ask, document, attempt.deadline, keep)
        elif ask.mode in WRITTEN:
            self._texts.caption(uid, ask, self._captions(uid, xml, ask, task, attempt.deadline), keep)
        else:
            self._sight().answer(uid, xml, ask, task, attempt.deadline, keep)

    def _captions(self, uid: str, xml: str, ask: Ask, task: Any, deadline: float) -> Captions:
        """What the project's own model would write about the task, once somebody wants to know."""
        own = self._own
        return lambda: own.captions(uid, xml, ask.control.name, task, deadline) if own is not None else ()

    def _prepare(self, uid: str, xml: str, wanted: Sequence[tuple[Control, tuple[Mode, Control]]], task: Any) -> None:
        asked = defaultdict(list)
        for control, found in wanted:
            asked[control.data_key].append(found)
        try:
            LabellingConfig(xml, ()).validate({"result": []})  # the first one in a process imports the validator
            for control in {control.data_key: control for control, _ in wanted}.values():
                if control.object_tag == "Image" and any(mode not in WRITTEN for mode, _ in asked[control.data_key]):
                    self._sight().prepare(uid, xml, control, asked[control.data_key], task)
                elif any(mode is Mode.SPANS for mode, _ in asked[control.data_key]):
                    self._texts.prepare()
        except PrelabelError as error:
            log.info("Nothing is prepared for a task: %s", error)
        except Exception:  # it would be lost in a thread
            log.exception("Preparing a task for interactive answers failed.")

    def _sight(self) -> Sight:
        with self._lock:
            if self._seeing is None:
                # Imported here: OpenCV and what engines need, which most servers never do.
                from backend.interactive.sight import Sight

                self._seeing = Sight(self._inputs, self._settings, self._own)
            return self._seeing
