"""Retrain now, later, or not at all? A pure function of facts: no Redis, no clock, no settings object."""

from __future__ import annotations

from dataclasses import dataclass

LABEL_EVENTS = frozenset(
    {"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED", "TASKS_DELETED"}
)
"""Events after which the labels of a project may be others than before."""


@dataclass(frozen=True)
class Rules:
    """When to retrain. `growth` is a share of the labels that the served version learnt from; `quiet` is in seconds."""

    always_below: int = 50
    growth: float = 0.1
    quiet: float = 60.0


@dataclass(frozen=True)
class Facts:
    """What is known when an event arrives: `learnt` labelled tasks in the served version, `changes` since then."""

    action: str
    learnt: int
    changes: int
    config_changed: bool = False


@dataclass(frozen=True)
class Decision:
    """`delay` is the number of seconds until the training is due, None for no training; `refresh` asks for
    predictions of tasks that have none. `reason` is a sentence for the log and the status page."""

    delay: float | None
    refresh: bool
    reason: str


def decide(facts: Facts, rules: Rules) -> Decision:
    """What one event asks for."""
    if facts.action == "START_TRAINING":
        return Decision(0.0, False, "Somebody pressed Start Training.")
    if facts.action == "TASKS_CREATED":
        # Imported tasks may bring annotations that nothing else announces.
        return Decision(_delay_of_change(facts, rules), True, "New tasks arrived.")
    if facts.action == "PROJECT_UPDATED":
        if facts.config_changed:
            return Decision(0.0, True, "The labelling config changed.")
        return Decision(None, False, "The project changed, its labelling config did not.")
    if facts.action in LABEL_EVENTS:
        return Decision(_delay_of_change(facts, rules), False, _reason_of_change(facts, rules))
    return Decision(None, False, f"{facts.action} changes no labels.")


def _delay_of_change(facts: Facts, rules: Rules) -> float:
    return 0.0 if _is_enough(facts, rules) else rules.quiet


def _is_enough(facts: Facts, rules: Rules) -> bool:
    return facts.learnt < rules.always_below or facts.changes >= rules.growth * facts.learnt


def _reason_of_change(facts: Facts, rules: Rules) -> str:
    if facts.learnt < rules.always_below:
        return f"With {facts.learnt} labelled tasks learnt, fewer than {rules.always_below}, every change retrains."
    if _is_enough(facts, rules):
        return f"{facts.changes} changes on {facts.learnt} labelled tasks are {rules.growth:.0%} or more."
    return f"{facts.changes} changes on {facts.learnt} labelled tasks wait for {rules.quiet:g} s of quiet."
