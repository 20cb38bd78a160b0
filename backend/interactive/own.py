"""What the project's own models see in a task: boxes of a label, objects to point at, captions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.errors import PrelabelError
from backend.interactive.asks import Ask
from backend.labelstudio.config import Control, parse_config
from backend.projects.identity import UNTRAINED
from backend.serving.pool import LoadedControl, Pool
from backend.serving.predict import Predictor, TaskDraft

if TYPE_CHECKING:
    from model_zoo.base import Model
    from model_zoo.interactive.alike import Like
    from model_zoo.interactive.prompts import Pixels
    from model_zoo.interactive.proposals import Proposals
    from model_zoo.postprocess import Decision

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OwnSegmenter:
    """A version's model of masks, as something that proposes objects. `name` tells versions apart; `load` gives the
    model, which may take seconds the first time."""

    name: str
    load: Callable[[], Model | None]

    def propose(self, pixels: Pixels) -> Proposals:
        """Every object it sees; none where there is no such model after all."""
        from model_zoo.interactive.proposals import nothing, proposals_of
        from model_zoo.types import InstanceOutput, Item

        model = self.load()
        if model is None:
            return nothing(pixels)
        (output,) = model.predict([model.prepare(Item(pixels))])
        return proposals_of(output, model.labels.names) if isinstance(output, InstanceOutput) else nothing(pixels)


class OwnModels:
    """One process's loaded versions, asked about one task. Nothing is known before a project's first version."""

    def __init__(self, pool: Pool, predictor: Predictor) -> None:
        self._pool = pool
        self._predictor = predictor

    def boxes(self, uid: str, xml: str, ask: Ask, task: Any, deadline: float) -> list[Like]:
        """The boxes of the label that the control's own detector would show."""
        from model_zoo.interactive.alike import Like
        from model_zoo.postprocess.base import DetectionDecision

        decision = self._decided(uid, xml, ask.control.name, task, deadline)
        if not isinstance(decision, DetectionDecision):
            return []
        pairs = zip(decision.boxes, decision.scores, strict=True)
        return [Like(box.corners, float(score)) for box, score in pairs if box.label == ask.label]

    def captions(self, uid: str, xml: str, name: str, task: Any, deadline: float) -> Sequence[tuple[str, float]]:
        """The captions that the control's own model would show, the best first, with how good each may be."""
        from model_zoo.postprocess.base import CaptionDecision

        decision = self._decided(uid, xml, name, task, deadline)
        return decision.captions if isinstance(decision, CaptionDecision) else ()

    def segmenter(self, uid: str, xml: str, name: str) -> OwnSegmenter | None:
        """What the control of that name may have learnt to see the pixels of objects with. Loads nothing yet."""
        try:
            version = self._pool.name(uid) if uid else UNTRAINED
        except PrelabelError as error:
            log.info("The project's own model is not asked: %s", error)
            return None
        if version == UNTRAINED:
            return None

        def load() -> Model | None:
            found = self._served(uid, xml, name)
            return found[1].model if found is not None else None

        return OwnSegmenter(f"{uid} {version} {name}", load)

    def _decided(self, uid: str, xml: str, name: str, task: Any, deadline: float) -> Decision | None:
        """What the control's model decides on the task; None where there is none, or not in time."""
        found = self._served(uid, xml, name)
        if found is None:
            return None
        control, loaded, _ = found
        draft = TaskDraft(task)
        try:
            self._predictor.run(control, loaded, [draft], deadline)
        except PrelabelError as error:
            log.info("The project's own model is not asked: %s", error)
        return draft.decisions.get(name)

    def _served(self, uid: str, xml: str, name: str) -> tuple[Control, LoadedControl, str] | None:
        """The control as it is learnt, its model, and the version's name."""
        try:
            if not uid or self._pool.name(uid) == UNTRAINED:
                return None
            config = parse_config(xml)
            version = self._pool.get(uid, config)
        except PrelabelError as error:
            log.info("The project's own model is not asked: %s", error)
            return None
        control, loaded = config.control(name), version.controls.get(name)
        return (control, loaded, version.name) if control is not None and loaded is not None else None
