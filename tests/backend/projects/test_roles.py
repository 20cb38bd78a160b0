"""The holdout: late, for ever, and of the promised size."""

from __future__ import annotations

from collections import Counter

import pytest

from backend.projects.roles import Role, RolePolicy, draw, role
from backend.settings import Settings

POLICY = RolePolicy(fraction=0.2, after=25, blind=0.5)


def test_the_first_labels_all_train() -> None:
    assert {role(task, 24, POLICY) for task in range(1000)} == {Role.TRAIN}


def test_later_a_fifth_is_held_out_and_half_of_it_is_blind() -> None:
    roles = [role(task, 25, POLICY) for task in range(1, 20_001)]
    held = [part for part in roles if part.is_holdout]
    assert abs(len(held) / len(roles) - 0.2) < 0.01
    assert abs(held.count(Role.HOLDOUT_BLIND) / len(held) - 0.5) < 0.03


def test_a_role_depends_on_the_task_alone_once_the_holdout_has_begun() -> None:
    assert [role(task, 25, POLICY) for task in range(500)] == [role(task, 9999, POLICY) for task in range(500)]


def test_a_larger_holdout_contains_the_smaller_one() -> None:
    small, large = (
        {task for task in range(2000) if role(task, 25, RolePolicy(fraction, 25)).is_holdout} for fraction in (0.1, 0.3)
    )
    assert small < large


def test_shares_of_nothing_and_of_all() -> None:
    assert {role(task, 100, RolePolicy(0.0, 0, 0.5)) for task in range(100)} == {Role.TRAIN}
    assert {role(task, 0, RolePolicy(1.0, 0, 1.0)) for task in range(100)} == {Role.HOLDOUT_BLIND}


def test_what_roles_allow() -> None:
    assert [(part.trains, part.is_holdout, part.shows_prediction) for part in Role] == [
        (True, False, True),
        (False, True, True),
        (False, True, False),
        (True, False, False),
    ]


def test_policy_comes_from_settings() -> None:
    given = {"HOLDOUT_FRACTION": "0.3", "HOLDOUT_AFTER": "7", "HOLDOUT_BLIND_FRACTION": "0.1"}
    settings = Settings.from_environment({f"PRELABEL_{name}": value for name, value in given.items()})
    assert RolePolicy.of(settings) == RolePolicy(0.3, 7, 0.1)


def test_draws_never_change() -> None:
    """Stored roles and stored draws must agree in every release."""
    assert round(draw(1, "holdout"), 6) == 0.762021
    assert draw(1, "holdout") != draw(1, "blind")


def test_the_control_arm_learns_and_is_shown_nothing() -> None:
    policy = RolePolicy(fraction=0.2, after=25, control=0.1)
    roles = Counter(role(task, 100, policy) for task in range(1, 20_001))
    assert roles[Role.CONTROL] / 20_000 == pytest.approx(0.8 * 0.1, abs=0.01)
    assert roles[Role.HOLDOUT] + roles[Role.HOLDOUT_BLIND] == sum(
        role(task, 100, RolePolicy(0.2, 25)).is_holdout for task in range(1, 20_001)
    )
    assert Role.CONTROL.trains
    assert not Role.CONTROL.is_holdout
    assert not Role.CONTROL.shows_prediction
    assert Role.CONTROL not in {role(task, 100) for task in range(1, 2_000)}, "it is off by default"
