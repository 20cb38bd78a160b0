"""Percentile intervals: what is drawn again, and what is left out."""

from __future__ import annotations

import numpy as np

from backend.evaluation.intervals import ROUNDS, interval, percentiles, resamples


def test_pieces_of_one_task_are_drawn_together() -> None:
    """Ten images of twenty regions each, right or wrong as a whole: that is ten facts and not two hundred."""
    right = np.repeat(np.arange(10) % 2 == 0, 20)
    groups = [np.arange(at, at + 20) for at in range(0, 200, 20)]

    def share(rows: np.ndarray) -> float:
        return float(right[rows].mean())

    alone, together = interval(share, 200), interval(share, 200, groups=groups)
    assert alone[0] > 0.4
    assert together[0] <= 0.3
    assert together[1] >= 0.7
    every = interval(share, 200, groups=[np.array([at]) for at in range(200)])
    assert abs(every[0] - alone[0]) < 0.05


def test_images_without_a_piece_are_drawn_like_others() -> None:
    groups = [np.arange(0, 4), np.arange(0), np.arange(4, 6)]
    low, high = interval(lambda rows: float(len(rows)), 6, groups=groups)
    assert 0 <= low < 6 < high <= 12


def test_resamples_count_every_item_and_draw_as_many() -> None:
    drawn = resamples(7)
    assert drawn.shape == (ROUNDS, 7)
    assert (drawn.sum(axis=1) == 7).all()
    assert drawn.min() == 0


def test_what_is_no_number_is_left_out() -> None:
    assert percentiles(np.array([np.nan, 0.5, 0.5])) == (0.5, 0.5)
    assert np.isnan(percentiles(np.array([np.nan]))).all()
