"""The chain's sums over all taggings, against all taggings written out; words, tags and windows."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_zoo.errors import CheckpointError
from model_zoo.named_entities.chain import LIKELY, Chain
from model_zoo.named_entities.fitting import NEVER, Head, place_in, sentences
from model_zoo.named_entities.reading import Passage, _apart
from model_zoo.named_entities.shapes import BUCKETS, shape_features
from model_zoo.named_entities.tags import allowed, begin, inside, tag_count, tags_of
from model_zoo.named_entities.words import covered, disjoint, read_words
from model_zoo.texts import PASSAGE
from model_zoo.types import LabelSpace, Span

COUNT = tag_count(2)


def chain(seed: int) -> Chain:
    random = np.random.default_rng(seed)
    first, follows = allowed(2)
    start = np.where(first, random.normal(size=COUNT), NEVER)
    steps = np.where(follows, random.normal(size=(COUNT, COUNT)), NEVER)
    return Chain(start.astype(np.float32), steps.astype(np.float32), random.normal(size=COUNT).astype(np.float32))


@pytest.mark.parametrize("seed", range(3))
def test_a_candidate_s_probability_is_the_share_of_the_taggings_that_have_it(seed: int) -> None:
    found, scores = chain(seed), np.random.default_rng(seed).normal(size=(4, COUNT)).astype(np.float32)
    weights, spans = 0.0, dict[tuple[int, int, int], float]()
    for tags in product(range(COUNT), repeat=4):
        score = found.start[tags[0]] + found.end[tags[-1]] + sum(scores[at, tag] for at, tag in enumerate(tags))
        score += sum(found.steps[before, after] for before, after in pairwise(tags))
        weight = float(np.exp(score))
        weights += weight
        for at, tag in enumerate(tags):
            if tag % 2 == 1:
                last = at + 1
                while last < 4 and tags[last] == tag + 1:
                    last += 1
                key = (at, last, (tag - 1) // 2)
                spans[key] = spans.get(key, 0.0) + weight
    wanted = {key: weight / weights for key, weight in spans.items() if weight / weights >= LIKELY}
    given = {(first, last, label): chance for first, last, label, chance in found.candidates(scores)}
    assert given.keys() == wanted.keys()
    assert [given[key] for key in wanted] == pytest.approx(list(wanted.values()), abs=1e-4)


def test_scores_of_any_size_and_length_give_numbers() -> None:
    wild = np.random.default_rng(0).normal(size=(3000, COUNT)).astype(np.float32) * 300
    assert all(0 <= chance <= 1 for *_, chance in chain(0).candidates(wild))
    assert chain(0).candidates(np.empty((0, COUNT), np.float32)) == []


def test_words_split_where_spans_begin_and_end() -> None:
    said = [word.text for word in read_words("@Ada's iPhone6, 東京 a_b \u200b🙂 don’t e\u0301 नमस्ते")]
    assert said[:9] == ["@", "Ada", "'", "s", "iPhone6", ",", "東", "京", "a"]
    assert said[9:] == ["_", "b", "\u200b", "🙂", "don", "’", "t", "e\u0301", "नमस्ते"]


@given(st.text(max_size=80))
def test_words_lie_where_they_say(text: str) -> None:
    words = read_words(text)
    assert all(text[word.start : word.end] == word.text for word in words)
    assert all(one.end <= other.start for one, other in pairwise(words))
    assert shape_features(words).shape[0] == len(words)
    assert ((shape_features(words) >= 0) & (shape_features(words) < BUCKETS)).all()


def test_tags_of_spans() -> None:
    labels = LabelSpace(("person", "place"))
    words = read_words("Ada B. lives in New York now")
    spans = (Span(0, 6, "person"), Span(17, 18, "place"), Span(3, 4, "place"), Span(21, 21, "place"))
    tags = tags_of(words, spans, labels).tolist()
    assert tags == [begin(0), inside(0), inside(0), 0, 0, begin(1), 0, 0]
    assert list(covered(words, disjoint(spans))) == [(0, 3, "person"), (5, 6, "place")]


def test_long_passages_are_cut_outside_of_spans() -> None:
    words = tuple(read_words("a " * 200))
    tags = np.zeros(200, np.int64)
    tags[60:70] = [begin(0), *[inside(0)] * 9]
    parts = sentences(Passage(words, np.zeros((200, 3), np.float32)), tags)
    assert [len(part.tags) for part in parts] == [60, 64, 64, 12]
    assert np.concatenate([part.tags for part in parts]).tolist() == tags.tolist()


def test_passages_and_unknown_features() -> None:
    assert [[word.text for word in some] for some in _apart(f"a{PASSAGE}{PASSAGE} b c")] == [["a"], ["b", "c"]]
    assert place_in(np.array([2, 5]), np.array([[5, 1], [2, 9]])).tolist() == [[1, 2], [0, 2]]
    assert place_in(np.empty(0, np.int64), np.array([[5]])).tolist() == [[0]]


def test_parts_that_do_not_fit_are_refused() -> None:
    zeros = np.zeros
    arrays = {
        "weight": zeros((COUNT, 4)), "bias": zeros(COUNT), "known": zeros(0, np.int64), "table": zeros((0, COUNT)),
        "start": zeros(COUNT), "steps": zeros((COUNT, COUNT)), "end": zeros(COUNT),
    }  # fmt: skip
    assert Head.from_arrays(arrays).chain.labels == 2
    for damage in ({"steps": zeros((COUNT, 1))}, {"bias": np.full(COUNT, np.nan)}, {"table": zeros((3, COUNT))}):
        with pytest.raises(CheckpointError, match="rain again"):
            Head.from_arrays({**arrays, **damage})
    with pytest.raises(CheckpointError, match="lacks end"):
        Head.from_arrays({name: array for name, array in arrays.items() if name != "end"})
