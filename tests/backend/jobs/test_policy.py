"""Retrain or not, as a table."""

from __future__ import annotations

import pytest

from backend.jobs.policy import LABEL_EVENTS, Facts, Rules, decide

RULES = Rules(always_below=50, growth=0.1, quiet=60.0)


@pytest.mark.parametrize(
    ("action", "learnt", "changes", "config_changed", "delay", "refresh"),
    [
        ("ANNOTATION_CREATED", 0, 1, False, 0.0, False),
        ("ANNOTATION_CREATED", 49, 1, False, 0.0, False),
        ("ANNOTATION_CREATED", 50, 1, False, 60.0, False),
        ("ANNOTATION_CREATED", 50, 4, False, 60.0, False),
        ("ANNOTATION_CREATED", 50, 5, False, 0.0, False),
        ("ANNOTATION_UPDATED", 1000, 99, False, 60.0, False),
        ("ANNOTATION_UPDATED", 1000, 100, False, 0.0, False),
        ("ANNOTATIONS_CREATED", 1000, 1, False, 60.0, False),
        ("ANNOTATIONS_DELETED", 10, 1, False, 0.0, False),
        ("ANNOTATIONS_DELETED", 1000, 1, False, 60.0, False),
        ("TASKS_DELETED", 1000, 1, False, 60.0, False),
        # Imported tasks may bring annotations, and have no predictions yet.
        ("TASKS_CREATED", 0, 0, False, 0.0, True),
        ("TASKS_CREATED", 1000, 0, False, 60.0, True),
        ("PROJECT_UPDATED", 1000, 0, True, 0.0, True),
        ("PROJECT_UPDATED", 0, 0, False, None, False),
        ("START_TRAINING", 1000, 0, False, 0.0, False),
        ("START_TRAINING", 0, 0, False, 0.0, False),
        ("LABEL_LINK_CREATED", 0, 0, False, None, False),
    ],
)
def test_decision(
    action: str, learnt: int, changes: int, config_changed: bool, delay: float | None, refresh: bool
) -> None:
    decision = decide(Facts(action, learnt, changes, config_changed), RULES)
    assert (decision.delay, decision.refresh) == (delay, refresh)
    assert decision.reason.endswith(".")


@pytest.mark.parametrize(("since", "delay"), [(0.0, 2.0), (0.5, 1.5), (2.0, 0.0), (100.0, 0.0), (-3600.0, 0.0)])
def test_trainings_are_spaced_however_fast_labels_arrive(since: float, delay: float) -> None:
    spaced = decide(Facts("ANNOTATION_CREATED", 10, 1, since_training=since), RULES)
    assert (spaced.delay, spaced.quiet) == (delay, False)
    assert decide(Facts("START_TRAINING", 10, 1, since_training=since), RULES).delay == 0.0
    assert decide(Facts("ANNOTATION_CREATED", 100, 1, since_training=since), RULES).delay == RULES.quiet


@pytest.mark.parametrize("action", sorted(LABEL_EVENTS))
def test_rules_are_settings(action: str) -> None:
    eager = Rules(always_below=2000, growth=0.5, quiet=1.0)
    assert decide(Facts(action, 1000, 1), eager).delay == 0.0
    patient = Rules(always_below=0, growth=1.0, quiet=3600.0)
    assert decide(Facts(action, 1000, 999), patient).delay == 3600.0
    assert decide(Facts(action, 1000, 1000), patient).delay == 0.0


def test_reason_says_what_was_counted() -> None:
    assert "3 changes on 100 labelled tasks" in decide(Facts("ANNOTATION_CREATED", 100, 3), RULES).reason
    assert "fewer than 50" in decide(Facts("ANNOTATION_CREATED", 7, 1), RULES).reason
