"""What the project's own models see in a task, for whoever draws one box and wants the others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from backend.errors import PrelabelError
from backend.interactive.asks import Ask
from backend.labelstudio.config import Control, parse_config
from backend.projects.identity import UNTRAINED
from backend.serving.pool import Pool
from backend.serving.predict import Predictor, TaskDraft

if TYPE_CHECKING:
    from model_zoo.interactive.alike import Like

log = logging.getLogger(__name__)


class OwnModels:
    """One process's loaded versions, asked about one task."""

    def __init__(self, pool: Pool, predictor: Predictor) -> None:
        self._pool = pool
        self._predictor = predictor

    def boxes(self, uid: str, xml: str, ask: Ask, task: Any, deadline: float) -> list[Like]:
        """The boxes of the label that the control's own detector would show; none before a first version."""
        name, label = ask.control.name, ask.label
        try:
            if not uid or self._pool.name(uid) == UNTRAINED:
                return []
            config = parse_config(xml)
            control: Control | None = config.control(name)
            loaded = self._pool.get(uid, config).controls.get(name)
            if control is None or loaded is None:
                return []
            draft = TaskDraft(task)
            self._predictor.run(control, loaded, [draft], deadline)
        except PrelabelError as error:
            log.info("The project's own model is not asked for boxes: %s", error)
            return []
        from model_zoo.interactive.alike import Like
        from model_zoo.postprocess.base import DetectionDecision

        decision = draft.decisions.get(name)
        if not isinstance(decision, DetectionDecision):
            return []
        pairs = zip(decision.boxes, decision.scores, strict=True)
        return [Like(box.corners, float(score)) for box, score in pairs if box.label == label]
