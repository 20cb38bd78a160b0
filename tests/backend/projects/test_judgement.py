"""What became of a prediction."""

from __future__ import annotations

import pytest

from backend.projects.judgement import Judgement, Outcome, judge

CAT, DOG, BOTH, NONE = frozenset({"cat"}), frozenset({"dog"}), frozenset({"cat", "dog"}), frozenset[str]()


@pytest.mark.parametrize(
    ("predicted", "answered", "shown", "expected"),
    [
        (CAT, CAT, True, Judgement(Outcome.ACCEPTED, 0)),
        (CAT, DOG, True, Judgement(Outcome.CORRECTED, 1)),
        (CAT, BOTH, True, Judgement(Outcome.CORRECTED, 1)),
        (BOTH, NONE, True, Judgement(Outcome.CORRECTED, 2)),
        (NONE, NONE, True, Judgement(Outcome.ACCEPTED, 0)),
        (CAT, CAT, False, Judgement(Outcome.UNSEEN, 0)),
        (CAT, DOG, False, Judgement(Outcome.UNSEEN, 1)),
        (None, DOG, True, Judgement(Outcome.UNSEEN, None)),
        (None, DOG, False, Judgement(Outcome.UNSEEN, None)),
    ],
)
def test_judge(predicted: frozenset[str] | None, answered: frozenset[str], shown: bool, expected: Judgement) -> None:
    assert judge(predicted, answered, shown=shown) == expected
