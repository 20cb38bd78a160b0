"""Which of a tagger's candidates are shown, and with what confidence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from model_zoo.errors import CheckpointError
from model_zoo.postprocess import EntityPostprocess, postprocess_of
from model_zoo.types import ClassificationOutput, EntityOutput, LabelSpace, Span, Spans, TaskKind

LABELS = LabelSpace(("person", "place"))
USUAL = EntityPostprocess.uncalibrated(LABELS)


def output(*candidates: tuple[int, int, float, float]) -> EntityOutput:
    rows = np.array(candidates, np.float64).reshape(-1, 4)
    return EntityOutput("x" * 1000, rows[:, :2].astype(np.int64), rows[:, 2:].astype(np.float32))


def test_of_overlapping_candidates_the_most_confident_is_shown_in_the_text_s_order() -> None:
    decided = USUAL.decide(output((20, 25, 0.1, 0.8), (0, 5, 0.6, 0.1), (3, 8, 0.5, 0.0), (30, 31, 0.29, 0.2)), LABELS)
    assert decided.spans == (Span(0, 5, "person"), Span(20, 25, "place"))
    assert decided.scores == pytest.approx((0.6, 0.8))
    assert decided.confidence == pytest.approx([0.6, 0.8])
    assert decided.target == decided.spans
    assert decided.uncertainty == pytest.approx(0.8)
    assert USUAL.decide(output((0, 5, 0.28, 0.2)), LABELS, minimum=0.25).spans == (Span(0, 5, "person"),)


def test_nothing_found_says_little() -> None:
    decided = USUAL.decide(output(), LABELS)
    assert (decided.spans, decided.scores, decided.uncertainty) == ((), (), 0.5)


def drawn(count: int) -> tuple[list[EntityOutput], list[Spans]]:
    """Candidates that are right as often as the square of their probability says: too sure of themselves."""
    random = np.random.default_rng(0)
    outputs, truths = [], []
    for _ in range(count):
        chances = random.uniform(0.05, 0.95, 8)
        outputs.append(output(*[(10 * at, 10 * at + 5, chance, 0.01) for at, chance in enumerate(chances)]))
        right = random.random(8) < chances**2
        truths.append(tuple(Span(10 * at, 10 * at + 5, "person") for at in np.flatnonzero(right).tolist()))
    return outputs, truths


def test_confidences_come_to_mean_what_they_say() -> None:
    outputs, truths = drawn(150)
    fitted = EntityPostprocess.fit([*outputs, None], [*truths, ()], LABELS)
    fresh, true = drawn(400)
    confidence = np.concatenate([fitted.candidates(one)[1] for one in fresh])
    right = np.concatenate(
        [
            [Span(int(s), int(e), "person") in truth for s, e in fitted.candidates(one)[0]]
            for one, truth in zip(fresh, true, strict=True)
        ]
    )
    for low in (0.1, 0.3, 0.5, 0.7):
        within = (confidence >= low) & (confidence < low + 0.2)
        assert confidence[within].mean() == pytest.approx(right[within].mean(), abs=0.08)
    assert fitted.thresholds[0] < 0.5, "F1 is highest where half of what is shown may be wrong"


def test_it_survives_json_and_damage_is_said() -> None:
    fitted = EntityPostprocess.fit(*drawn(30), LABELS)
    content = json.loads(json.dumps(fitted.to_json()))
    assert EntityPostprocess.from_json(content) == fitted
    assert postprocess_of(TaskKind.NAMED_ENTITIES) is EntityPostprocess
    for damage in ({"slopes": ["x"]}, {"thresholds": [0.5]}):
        with pytest.raises(CheckpointError, match="train again"):
            EntityPostprocess.from_json({**content, **damage})
    with pytest.raises(CheckpointError, match="train again"):
        EntityPostprocess.from_json({})


def test_without_truths_nothing_is_fitted() -> None:
    assert EntityPostprocess.fit([output((0, 5, 0.5, 0.1))], [()], LABELS) == USUAL
    with pytest.raises(TypeError, match="wanted an EntityOutput"):
        USUAL.decide(ClassificationOutput(np.ones(2, np.float32)), LABELS)
