"""Retrain now, later, or not at all? A pure function of facts: no Redis, no clock, no settings object."""

from __future__ import annotations

import math
from dataclasses import dataclass

LABEL_EVENTS = frozenset(
    {"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED", "TASKS_DELETED"}
)
"""Events after which the labels of a project may be others than before."""


@dataclass(frozen=True)
class Rules:
    """When to retrain. `growth` is a share of the labels that the served version learnt from; `quiet` is in seconds.

    `spacing`: seconds from the beginning of one training to that of the next, however fast labels arrive. What a burst
    of them costs Label Studio, which trainings read from, then does not grow with its speed.
    """

    always_below: int = 50
    growth: float = 0.1
    quiet: float = 60.0
    spacing: float = 2.0


@dataclass(frozen=True)
class Facts:
    """What is known when an event arrives: `learnt` labelled tasks in the served version, `changes` since then, and
    how many seconds ago the last training began."""

    action: str
    learnt: int
    changes: int
    config_changed: bool = False
    since_training: float = math.inf


@dataclass(frozen=True)
class Decision:
    """`delay` is the number of seconds until the training is due, None for no training; `refresh` asks for
    predictions of tasks that have none. `reason` is a sentence for the log and the status page. `quiet`: the delay
    is a wait for a quiet moment, which begins anew with each event."""

    delay: float | None
    refresh: bool
    reason: str
    quiet: bool = False


def decide(facts: Facts, rules: Rules) -> Decision:
    """What one event asks for."""
    if facts.action == "START_TRAINING":
        return Decision(0.0, False, "Somebody pressed Start Training.")
    if facts.action == "TASKS_CREATED":
        # Imported tasks may bring annotations that nothing else announces.
        return _of_change(facts, rules, "New tasks arrived.", refresh=True)
    if facts.action == "PROJECT_UPDATED":
        if facts.config_changed:
            return Decision(0.0, True, "The labelling config changed.")
        return Decision(None, False, "The project changed, its labelling config did not.")
    if facts.action in LABEL_EVENTS:
        return _of_change(facts, rules, _reason_of_change(facts, rules))
    return Decision(None, False, f"{facts.action} changes no labels.")


def _of_change(facts: Facts, rules: Rules, reason: str, *, refresh: bool = False) -> Decision:
    if not _is_enough(facts, rules):
        return Decision(rules.quiet, refresh, reason, quiet=True)
    # A clock that was set back makes the last training one of the future, which is not to be waited for.
    still = rules.spacing - facts.since_training if facts.since_training >= 0 else 0.0
    return Decision(max(0.0, still), refresh, reason)


def _is_enough(facts: Facts, rules: Rules) -> bool:
    return facts.learnt < rules.always_below or facts.changes >= rules.growth * facts.learnt


def _reason_of_change(facts: Facts, rules: Rules) -> str:
    if facts.learnt < rules.always_below:
        return f"With {facts.learnt} labelled tasks learnt, fewer than {rules.always_below}, every change retrains."
    if _is_enough(facts, rules):
        return f"{facts.changes} changes on {facts.learnt} labelled tasks are {rules.growth:.0%} or more."
    return f"{facts.changes} changes on {facts.learnt} labelled tasks wait for {rules.quiet:g} s of quiet."
