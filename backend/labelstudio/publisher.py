"""The one writer of predictions.

A person's page names the prediction that it showed (`parent_prediction`), and Label Studio refuses an annotation
whose prediction is gone: status 400, again and again, until the page is loaded anew and the work on it lost (seen
on 1.23.2). Nothing says which predictions are on a page at this moment. So a superseded prediction is overwritten,
never replaced: its row and id stay, whoever looks at it can submit, and there is still one row a task.

Overwriting is one request each, which is no slower than a deletion and a creation. Only tasks that have no row of
ours yet go through Label Studio's bulk import.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from backend.errors import LabelStudioError
from backend.labelstudio.client import Json, LabelStudio, NewPrediction
from backend.labelstudio.queries import filter_time

log = logging.getLogger(__name__)

BATCH = 1000
"""Predictions a bulk import: 0.6 s, during which SQLite lets nobody else write. Each call has a fixed cost besides."""
DRAFTS_AGE = 15.0
"""Seconds for which it is taken as known who has a draft of what."""
CONSIDERATION = 2.0
"""Seconds that Label Studio is left alone for each second of a write: its threads share one processor, so writes
without a pause make everybody who submits an annotation meanwhile wait twice as long."""
LONGEST_PAUSE = 0.05
"""Seconds; where writes take long for other reasons, waiting longer would help nobody."""
LEFTOVER_AGE = timedelta(days=14)
"""Label Studio ends a session after 14 days: a page opened before that cannot submit anyway."""
LAST = 1.0
"""The score of an empty prediction for a task that could not be predicted."""


@dataclass
class Published:
    """What became of the predictions handed in."""

    written: int = 0
    unchanged: int = 0
    """Already stored under this version."""
    drafted: int = 0
    """Left alone, because somebody's draft is on the task."""
    refused: list[int] = field(default_factory=list)
    """Tasks whose prediction Label Studio did not take: deleted meanwhile, mostly."""
    superseded: bool = False
    """Whether a newer version ended this before all was written."""

    def add(self, other: Published) -> None:
        """Count in what came of further predictions."""
        self.written += other.written
        self.unchanged += other.unchanged
        self.drafted += other.drafted
        self.refused += other.refused
        self.superseded = self.superseded or other.superseded


@dataclass(frozen=True)
class _Row:
    """A stored prediction of ours."""

    id: int
    version: str
    stored: Json | None = None
    """The row as the API gave it; None for what was written just now."""

    @classmethod
    def of(cls, stored: Json) -> _Row:
        return cls(int(stored["id"]), str(stored["model_version"]), stored)

    @property
    def failed(self) -> bool:
        """Whether the task could not be predicted when the row was written: it is empty, and sorts last."""
        return self.stored is not None and not self.stored["result"] and self.stored["score"] == LAST


class Publisher:
    """Writes the predictions of one version of one project.

    `ours` tells from a stored row (as the API gives it) whether we, or Label Studio on our behalf, wrote it: other
    people's are never touched. `still_current` is asked before every write. What is stored already under this version
    is left as it is, so a refresh that was interrupted is resumed by starting it again. `overwriting` is given each
    row before it says something else.
    """

    def __init__(
        self,
        client: LabelStudio,
        project: int,
        version: str,
        *,
        ours: Callable[[Json], bool],
        still_current: Callable[[], bool] = lambda: True,
        overwriting: Callable[[Json], None] = lambda stored: None,
    ) -> None:
        self._client = client
        self._project = project
        self._version = version
        self._ours = ours
        self._still_current = still_current
        self._overwriting = overwriting
        self._leftovers: list[_Row] = []
        self._rows = self._read_rows()
        self._drafted: frozenset[int] = frozenset()
        self._drafted_at = float("-inf")

    def remaining(self, tasks: Iterable[int]) -> list[int]:
        """Those of `tasks` that need a prediction of this version written, in the order given."""
        drafted = self._drafts()
        return [task for task in tasks if not self._is_done(task) and task not in drafted]

    def publish_urgent(self, predictions: Iterable[NewPrediction], *, at_once: int = 0) -> Published:
        """Write what people will meet next, one by one and with clusters; the most urgent first.

        Between two writes Label Studio is left to people for a moment, but for the `at_once` first, which somebody
        waits for.
        """
        outcome = Published()
        for number, prediction in enumerate(self._writable(predictions, outcome)):
            with _considerate() if number >= at_once else nullcontext():
                self._write(prediction, outcome)
        return outcome

    def name_version(self) -> bool:
        """Make the project show this version's predictions. False while none is stored: Label Studio would refuse."""
        if not self._still_current() or not any(row.version == self._version for row in self._rows.values()):
            return False
        if self._client.project(self._project, "model_version").get("model_version") != self._version:
            self._client.update_project(self._project, model_version=self._version)
        return True

    def publish_rest(self, predictions: Iterable[NewPrediction]) -> Published:
        """Write the others: those without a row in bulk, the rest one by one. Ends early when superseded."""
        outcome = Published()
        waiting: list[NewPrediction] = []
        for prediction in self._writable(predictions, outcome):
            if prediction.task in self._rows:
                with _considerate():
                    self._write(prediction, outcome)
            else:
                waiting.append(prediction)
            if len(waiting) == BATCH:
                self._import(waiting, outcome)
                waiting = []
        if not outcome.superseded:
            self._import(waiting, outcome)
            self._delete_leftovers()
        return outcome

    def _writable(self, predictions: Iterable[NewPrediction], outcome: Published) -> Iterator[NewPrediction]:
        for prediction in predictions:
            if not self._still_current():
                outcome.superseded = True
                return
            if self._is_done(prediction.task):
                outcome.unchanged += 1
            elif prediction.task in self._drafts():
                outcome.drafted += 1
            else:
                yield prediction

    def _write(self, prediction: NewPrediction, outcome: Published) -> None:
        row = self._rows.get(prediction.task)
        try:
            number = self._overwrite(row, prediction) if row else None
            if number is None:
                number = self._client.create_prediction(prediction, self._version)
        except LabelStudioError as error:
            if error.status != 400:
                raise
            log.info("Label Studio took no prediction for task %d: %s", prediction.task, error)
            outcome.refused.append(prediction.task)
            return
        self._rows[prediction.task] = _Row(number, self._version)
        outcome.written += 1

    def _overwrite(self, row: _Row, prediction: NewPrediction) -> int | None:
        """The row's id, or None when somebody deleted it."""
        if row.stored is not None:
            self._overwriting(row.stored)
        try:
            self._client.update_prediction(row.id, prediction, self._version)
        except LabelStudioError as error:
            if error.status != 404:
                raise
            return None
        return row.id

    def _import(self, predictions: list[NewPrediction], outcome: Published) -> None:
        if not predictions:
            return
        if not self._still_current():
            outcome.superseded = True
            return
        try:
            created = self._client.import_predictions(self._project, predictions, self._version)
        except LabelStudioError as error:
            if error.status != 400:
                raise
            self._import_halves(predictions, outcome, error)
            return
        if created != len(predictions):  # invalid ones are dropped without a word
            self._rows = self._read_rows()
            missing = [prediction.task for prediction in predictions if not self._is_done(prediction.task)]
            log.warning("Label Studio dropped the predictions of tasks %s as invalid.", missing)
            outcome.refused += missing
        for prediction in predictions:
            self._rows.setdefault(prediction.task, _Row(0, self._version))
        outcome.written += created

    def _import_halves(self, predictions: list[NewPrediction], outcome: Published, error: LabelStudioError) -> None:
        """One task that is gone makes Label Studio refuse the whole batch: find it."""
        if len(predictions) == 1:
            log.info("Label Studio took no prediction for task %d: %s", predictions[0].task, error)
            outcome.refused.append(predictions[0].task)
            return
        middle = len(predictions) // 2
        self._import(predictions[:middle], outcome)
        self._import(predictions[middle:], outcome)

    def _is_done(self, task: int) -> bool:
        row = self._rows.get(task)
        return row is not None and row.version == self._version and not row.failed

    def _read_rows(self) -> dict[int, _Row]:
        """The row of ours to keep for each task: the one of this version, or else the newest."""
        rows: dict[int, _Row] = {}
        self._leftovers = []
        found = sorted(filter(self._ours, self._client.predictions(self._project)), key=lambda row: int(row["id"]))
        for stored in found:
            task, row = int(stored["task"]), _Row.of(stored)
            kept = rows.get(task)
            if kept is None:
                rows[task] = row
            elif kept.version == self._version:
                self._leftovers.append(row)
            else:
                rows[task] = row
                self._leftovers.append(kept)
        return rows

    def _drafts(self) -> frozenset[int]:
        if time.monotonic() - self._drafted_at > DRAFTS_AGE:
            self._drafted = self._client.drafted_tasks(self._project)
            self._drafted_at = time.monotonic()
        return self._drafted

    def _delete_leftovers(self) -> None:
        """Second rows of ours come from live calls in the moment of a swap; they go once no page can show them."""
        limit = datetime.now(timezone.utc) - LEFTOVER_AGE
        for row in self._leftovers:
            written = filter_time(str(row.stored["updated_at"])) if row.stored else None
            if written and datetime.fromisoformat(written.replace("Z", "+00:00")) < limit:
                self._client.delete_prediction(row.id)
        self._leftovers = []


@contextmanager
def _considerate() -> Iterator[None]:
    """Pauses after the block, the longer the block took."""
    begun = time.monotonic()
    yield
    time.sleep(min(CONSIDERATION * (time.monotonic() - begun), LONGEST_PAUSE))
