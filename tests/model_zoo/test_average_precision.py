"""Average precision of resamples, against that of the images written out again as often as they were drawn."""

from __future__ import annotations

import numpy as np
import pytest

from model_zoo.average_precision import OVERLAPS, Ranked, means, ranked, table_of

IMAGES = 9


def rankings(seed: int, *, some_uncounted: bool = False) -> list[Ranked]:
    """Three labels, of which the last is in no image."""
    random = np.random.default_rng(seed)
    made = []
    for label in range(3):
        confidence, hits, true, counted = [], [], [], []
        for _ in range(IMAGES):
            count, objects = int(random.integers(0, 6)), int(random.integers(0, 5)) * (label < 2)
            right = np.cumsum(random.random(count) < 0.7) if objects else np.zeros(count)
            steps = random.random(count)[None] > np.linspace(0, 0.6, len(OVERLAPS))[:, None]
            confidence.append(random.random(count).astype(np.float32))
            hits.append((np.diff(right, prepend=0) > 0) & (right <= objects) & steps)
            counted.append(~hits[-1] & (random.random(count) < 0.5) | hits[-1])
            true.append(objects)
        made.append(ranked(confidence, hits, true, counted if some_uncounted else None))
    return made


def read_off(right: np.ndarray, total: int) -> float:
    """By the definition: the mean over 101 recalls of the highest precision at that recall or beyond."""
    hits = right.cumsum()
    precision = hits / np.arange(1, len(hits) + 1)
    recall = hits / total
    points = np.linspace(0, 1, 101)
    return float(np.mean([max(precision[recall >= point - 1e-12], default=0.0) for point in points]))


def written_out(one: Ranked, drawn: np.ndarray, overlap: int) -> float:
    times = drawn[one.images]
    if one.counted is not None:
        times = times * one.counted[overlap]
    total = int(drawn @ one.true)
    return read_off(np.repeat(one.hits[overlap], times), total) if total else float("nan")


@pytest.mark.parametrize("some_uncounted", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_resamples_are_what_the_images_written_out_give(seed: int, some_uncounted: bool) -> None:
    made = rankings(seed, some_uncounted=some_uncounted)
    random = np.random.default_rng(seed)
    drawn = np.stack([np.bincount(random.integers(IMAGES, size=IMAGES), minlength=IMAGES) for _ in range(20)])
    for one in made:
        expected = [[written_out(one, row, overlap) for overlap in range(len(OVERLAPS))] for row in drawn]
        np.testing.assert_allclose(one.precisions(drawn), expected, atol=1e-6)
    first, every = means(made, drawn)
    tables = np.stack([one.precisions(drawn) for one in made[:2]])
    np.testing.assert_allclose(first, np.nanmean(tables[..., 0], axis=0), atol=1e-6)
    np.testing.assert_allclose(every, np.nanmean(tables, axis=(0, 2)), atol=1e-6)
    np.testing.assert_allclose(
        table_of(made, IMAGES, len(OVERLAPS))[:, 0], made[0].precisions(np.ones((1, IMAGES), np.int64))[0]
    )


def test_many_samples_are_worked_out_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    (one, *_), drawn = rankings(0), np.ones((50, IMAGES), np.int64)
    whole = one.precisions(drawn)
    monkeypatch.setattr("model_zoo.average_precision._CELLS_AT_ONCE", 100)
    np.testing.assert_array_equal(one.precisions(drawn), whole)


def test_nothing_true_is_no_number_and_nothing_found_is_nought() -> None:
    none = np.zeros((len(OVERLAPS), 0), np.bool_)
    drawn = np.array([[1, 1], [2, 0]])
    empty = ranked([np.empty(0, np.float32)] * 2, [none] * 2, [0, 3])
    assert empty.precisions(drawn)[0].tolist() == [0.0] * len(OVERLAPS)
    assert np.isnan(empty.precisions(drawn)[1]).all()
    first, _ = means([empty], drawn)
    assert first[0] == 0
    assert np.isnan(first[1])
