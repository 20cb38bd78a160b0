"""How much of one region is another: of boxes and of spans."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.oriented import box_overlaps
from model_zoo.places import place_overlaps
from model_zoo.types import Box, Span

SPANS = st.lists(
    st.builds(lambda start, length: Span(start, start + length, ""), st.integers(0, 30), st.integers(1, 9))
)


@given(SPANS, SPANS)
def test_a_span_overlaps_as_a_box_of_its_length(first: list[Span], second: list[Span]) -> None:
    boxes = [[Box(span.start, 0, span.end, 1, "") for span in spans] for spans in (first, second)]
    np.testing.assert_allclose(place_overlaps(tuple(first), tuple(second)), box_overlaps(*boxes), atol=1e-6)


def test_places_of_dialogues_are_told_apart_however_large() -> None:
    far = 1 << 80
    shares = place_overlaps((Span(far, far + 4, ""),), (Span(far, far + 3, ""), Span(far + 4, far + 5, "")))
    assert shares.tolist() == [[0.75, 0.0]]


def test_boxes_are_no_spans() -> None:
    assert place_overlaps((), ()).shape == (0, 0)
    assert place_overlaps((Box(0, 0, 2, 1, ""),), (Box(1, 0, 2, 1, ""),)).tolist() == [[0.5]]
    with pytest.raises(TypeError, match="wanted a tuple of Span"):
        place_overlaps((Box(0, 0, 2, 1, ""),), (Span(0, 2, ""),))
