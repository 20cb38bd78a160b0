"""What became of a prediction."""

from __future__ import annotations

import pytest

from backend.projects.judgement import Judgement, Outcome, judge


@pytest.mark.parametrize(
    ("edits", "shown", "expected"),
    [
        (0, True, Judgement(Outcome.ACCEPTED, 0)),
        (1, True, Judgement(Outcome.CORRECTED, 1)),
        (7, True, Judgement(Outcome.CORRECTED, 7)),
        (0, False, Judgement(Outcome.UNSEEN, 0)),
        (2, False, Judgement(Outcome.UNSEEN, 2)),
        (None, True, Judgement(Outcome.UNSEEN, None)),
        (None, False, Judgement(Outcome.UNSEEN, None)),
    ],
)
def test_judge(edits: int | None, shown: bool, expected: Judgement) -> None:
    assert judge(edits, shown=shown) == expected
