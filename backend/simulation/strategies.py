"""Which task the simulated annotator is given next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from backend.errors import InvalidRequest
from backend.labelstudio.client import NewPrediction
from backend.selection.ordering import Strategy


class Dealing(str, Enum):
    """Strategies that can be simulated. Before the first version, nothing is known to choose by: the first tasks come
    at random in each but `in_order`."""

    RANDOM = "random"
    """At random."""
    LEAST_CONFIDENCE = "least_confidence"
    """What the model is least sure of."""
    DEFAULT = "default"
    """As Prelabel orders tasks and Label Studio deals them: typical and different ones first, uncertain ones later."""
    IN_ORDER = "in_order"
    """As the files come: by name, frames by time."""

    @property
    def looks_at_all(self) -> Strategy | None:
        """The order that takes a prediction of every task; None where the next tasks can be told without."""
        known = {Dealing.LEAST_CONFIDENCE: Strategy.LEAST_CONFIDENCE, Dealing.DEFAULT: Strategy.DEFAULT}
        return known.get(self)


COMING = ("margin", "entropy", "committee", "coreset", "typiclust", "badge")
"""Names that people will try and that there is nothing for yet."""


def read_strategies(text: str) -> list[Dealing]:
    """The strategies in a list by commas. Raises `InvalidRequest`."""
    known = {dealing.value: dealing for dealing in Dealing}
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None or not names:
        later = " It is one of those that come later." if wrong in COMING else ""
        raise InvalidRequest(
            f"--strategy: got {wrong or 'nothing'!r}, wanted some of: {', '.join(known)}.{later} "
            f"Not there yet: {', '.join(COMING)}."
        )
    return [known[name] for name in names]


def deal(
    predictions: Sequence[NewPrediction], dealing: Dealing, solved: Counter[int], count: int
) -> list[NewPrediction]:
    """The next `count` tasks. `solved` counts what this annotator has labelled of each cluster, and goes on counting.

    The default deals as Label Studio's uncertainty sampling does: from the cluster that this annotator has solved
    least, the task of the lowest score.
    """
    by_score = sorted(predictions, key=lambda prediction: (prediction.score, prediction.task))
    if dealing is not Dealing.DEFAULT:
        return by_score[:count]
    queues: dict[int, list[NewPrediction]] = {}
    for prediction in reversed(by_score):
        queues.setdefault(prediction.cluster or 0, []).append(prediction)
    chosen: list[NewPrediction] = []
    while queues and len(chosen) < count:
        cluster = min(queues, key=lambda one: (solved[one], queues[one][-1].score))
        chosen.append(queues[cluster].pop())
        solved[cluster] += 1
        if not queues[cluster]:
            del queues[cluster]
    return chosen
