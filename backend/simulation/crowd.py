"""What a project takes for true where several people label each item, held against the gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backend.converters import CONVERTERS
from backend.errors import InvalidRequest
from backend.evaluation.comparison import wilson_interval
from backend.jobs.examples import Answer
from backend.labelstudio.config import Control
from backend.simulation.labelled import GOLD, Kind, LabelledSet, Task, truth
from model_zoo.metrics import flags, macro_f1
from model_zoo.types import Labels, LabelSpace

METRIC = "answer_accuracy"
"""The main metric where there is nothing to learn from: the share of answers that the gold confirms."""

BARE = (
    "The items of this set are known by numbers or codes alone, and there is nothing in them that a model can learn "
    "from: no model is trained, nothing is shown to people, and what is measured is the most frequent answer to each "
    "item against the gold. Strategies that ask a model deal at random."
)
COUNTED = "Budgets of a crowd are annotations, of which an item gets several."


def check_gold(found: LabelledSet) -> None:
    """Raises `InvalidRequest` for a crowd whose answers cannot be judged."""
    if found.kind is Kind.CROWD and not any(GOLD in task["data"] for task in found.tasks):
        raise InvalidRequest(
            "What a crowd says is judged by gold, and none of its items has any. Put a gt.yaml with the true label of "
            "each item beside labels.yaml."
        )


def notes_on(found: LabelledSet) -> tuple[str, ...]:
    """What people must know of a simulated crowd; nothing of other sets."""
    if found.kind is not Kind.CROWD:
        return ()
    return (COUNTED, BARE) if found.is_bare else (COUNTED,)


def answers_measured(
    control: Control, tasks: Mapping[int, Task], answers: Sequence[Answer], annotations: int
) -> dict[str, float]:
    """Of the `answers` that a project takes for true after so many `annotations`: `answer_accuracy` against the gold
    with its 95 % Wilson interval, `answer_macro_f1`, how many `answers` were judged, the share of the project's items
    that are `answered`, and how many annotations each of these has."""
    converter = CONVERTERS[control.tag]
    given: list[Labels] = []
    true: list[Labels] = []
    for answer in answers:
        gold = converter.decode(control, truth(Kind.CROWD, tasks[answer.record.task]))
        if isinstance(gold, frozenset) and isinstance(answer.target, frozenset):
            given.append(answer.target)
            true.append(gold)
    right = sum(one == other for one, other in zip(given, true, strict=True))
    labels = LabelSpace(control.label_names)
    low, high = wilson_interval(right, len(true))
    return {
        METRIC: right / len(true) if true else 0.0,
        f"{METRIC}_low": low,
        f"{METRIC}_high": high,
        "answer_macro_f1": macro_f1(flags(given, labels), flags(true, labels)),
        "answers": float(len(true)),
        "answered": len(answers) / max(len(tasks), 1),
        "annotations_an_answer": annotations / max(len(answers), 1),
    }
