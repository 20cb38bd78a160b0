"""Spans against spans: by their exact places and labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.evaluation.entities import EntityEvaluation, compare_spans
from backend.evaluation.matching import Matches, matches
from model_zoo.postprocess import EntityPostprocess
from model_zoo.types import Box, EntityOutput, LabelSpace, Output, Span, Spans

LABELS = LabelSpace(("a", "b"))
EVALUATION = EntityEvaluation()
TEXT = "x" * 100


def output(*spans: Span) -> Output:
    """One that is certain of these spans."""
    places = np.array([(span.start, span.end) for span in spans], np.int64).reshape(-1, 2)
    rows = np.array([[0.99 * (span.label == name) for name in LABELS.names] for span in spans], np.float32)
    return EntityOutput(TEXT, places, rows.reshape(-1, len(LABELS)))


def measure(answers: list[Spans], truths: list[Spans]) -> dict[str, float]:
    outputs = [output(*spans) for spans in answers]
    return EVALUATION.measure(outputs, truths, EntityPostprocess.uncalibrated(LABELS), LABELS)


def test_a_span_is_right_where_place_and_label_are() -> None:
    truth = (Span(0, 5, "a"), Span(10, 15, "b"), Span(20, 25, "a"), Span(90, 95, "a"))
    answer = (Span(0, 5, "a"), Span(10, 15, "a"), Span(21, 25, "a"), Span(50, 55, "b"))
    found = compare_spans(answer, truth)
    assert found.kept == ((0, 0),)
    assert found.changed == ((1, 1), (2, 2))
    assert (found.deleted, found.added) == ((3,), (3,))
    assert EVALUATION.edits(answer, truth) == 4
    assert matches(answer, truth) == Matches(shown=4, answered=4, right=1)
    assert EVALUATION.scores([answer, (), ()], [truth, (), truth]).tolist() == [0.25, 1.0, 0.0]


def test_the_measures_of_conll() -> None:
    truths: list[Spans] = [(Span(0, 5, "a"), Span(10, 15, "b")), (Span(0, 5, "a"),), ()]
    answers: list[Spans] = [(Span(0, 5, "a"),), (Span(0, 4, "a"),), (Span(1, 2, "b"),)]
    found = measure(answers, truths)
    assert (found["items"], found["spans"]) == (3, 3)
    assert found["precision"] == pytest.approx(1 / 3)
    assert found["recall"] == pytest.approx(1 / 3)
    assert found["f1"] == pytest.approx(1 / 3)
    assert found["macro_f1"] == pytest.approx((2 / 4 + 0) / 2)
    assert found["accuracy"] == 0
    assert found["f1_low"] <= found["f1"] <= found["f1_high"]


def test_nothing_to_measure() -> None:
    assert measure([], []) == {}
    with pytest.raises(ValueError, match="as many"):
        measure([()], [])
    with pytest.raises(TypeError, match="wanted a tuple of Span"):
        EVALUATION.scores([frozenset({"a"})], [()])
    with pytest.raises(TypeError, match="one kind"):
        matches((Span(0, 1, "a"),), (Box(0, 0, 1, 1, "a"),))


SPANS = st.lists(
    st.builds(lambda s, n, label: Span(s, s + n, label), st.integers(0, 30), st.integers(1, 9), st.sampled_from("ab")),
    max_size=6,
).map(tuple)


@given(SPANS, SPANS)
def test_every_span_has_one_fate(before: Spans, after: Spans) -> None:
    found = compare_spans(before, after)
    paired = [*found.kept, *found.changed]
    assert sorted([first for first, _ in paired] + [*found.deleted]) == list(range(len(before)))
    assert sorted([second for _, second in paired] + [*found.added]) == list(range(len(after)))
    assert compare_spans(before, before).edits == 0
