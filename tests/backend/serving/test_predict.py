"""One entry a task, in order, whatever single tasks, models and the clock do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.labelstudio.config import parse_config
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
from backend.projects.roles import Role, RolePolicy, role
from backend.serving.inputs import InputReader
from backend.serving.pool import LoadedControl, LoadedVersion
from backend.serving.predict import LAST, Predictor, TaskPrediction
from backend.store.manifest import Manifest
from model_zoo.base import Model
from model_zoo.postprocess import ClassificationPostprocess
from model_zoo.registry import family
from model_zoo.types import ClassificationOutput, Item, LabelSpace, Output

LABELS = LabelSpace(("A", "B"))
CONFIG = parse_config(
    '<View><Text name="text" value="$text"/>'
    '<Choices name="first" toName="text"><Choice value="A"/><Choice value="B"/></Choices>'
    '<Choices name="second" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)
Answer = Callable[[str], float]
"""The probability of A for a text; may raise."""


class TinyModel(Model):
    """A model by the zoo's contract whose answers a test decides. `batches` are the sizes of what it was given."""

    def __init__(self, answer: Answer) -> None:
        self.labels = LABELS
        self._answer = answer
        self.batches: list[int] = []

    def predict(self, items: Sequence[Item]) -> list[Output]:
        self.batches.append(len(items))
        shares = [self._answer(str(item.input)) for item in items]
        return [ClassificationOutput(np.array([share, 1 - share], np.float32)) for share in shares]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        return 0


def version(manifest: Manifest | None = None, **answers: Answer) -> LoadedVersion:
    """A loaded version with one model for each control named."""
    kind = family("text_classification/minilm_linear.v1")
    controls = {
        name: LoadedControl("", kind, TinyModel(answer), ClassificationPostprocess.uncalibrated(LABELS))
        for name, answer in answers.items()
    }
    return LoadedVersion("v4", controls, manifest)


@pytest.fixture
def inputs(tmp_path: Path) -> Iterator[InputReader]:
    reader = InputReader(MediaFetcher(MediaCache(tmp_path, 10**6), MediaLimits()))
    yield reader
    reader.close()


@pytest.fixture
def kinds() -> list[str]:
    """The kinds of problems that were counted."""
    return []


@pytest.fixture
def predictor(inputs: InputReader, kinds: list[str]) -> Predictor:
    return Predictor(inputs, RolePolicy(), kinds.append)


def tasks(*texts: Any) -> list[dict[str, Any]]:
    return [{"id": number, "data": {"text": text}} for number, text in enumerate(texts, start=1)]


def shown(prediction: TaskPrediction) -> dict[str, str]:
    """The choice of each control."""
    return {region["from_name"]: region["value"]["choices"][0] for region in prediction.result}


def never() -> float:
    return time.monotonic() + 60


def by_number(text: str) -> float:
    return int(text) % 7 / 10


def test_many_tasks_come_back_in_order(predictor: Predictor) -> None:
    texts = [str(number) for number in range(3 * TinyModel.at_once + 5)]
    given = version(first=by_number)
    predictions = predictor.predict(CONFIG, given, tasks(*texts), never())
    assert [prediction.result[0]["score"] for prediction in predictions] == pytest.approx(
        [max(by_number(text), 1 - by_number(text)) for text in texts]
    )
    assert {prediction.model_version for prediction in predictions} == {"v4"}
    model = given.controls["first"].model
    assert isinstance(model, TinyModel)
    assert model.batches == [TinyModel.at_once, TinyModel.at_once, TinyModel.at_once, 5]


def test_no_task_gives_no_entry(predictor: Predictor) -> None:
    assert predictor.predict(CONFIG, version(first=by_number), [], never()) == []


def test_every_prediction_passes_label_studio_s_validator(predictor: Predictor) -> None:
    for prediction in predictor.predict(CONFIG, version(first=by_number, second=by_number), tasks("1", "9"), never()):
        assert CONFIG.validate(prediction.as_dict()) == []
        assert 0 <= prediction.score <= 1


def test_an_item_that_breaks_the_model_costs_itself_alone(predictor: Predictor, kinds: list[str]) -> None:
    def picky(text: str) -> float:
        if text == "bad":
            raise RuntimeError("expected a tensor")
        return 0.9

    predictions = predictor.predict(CONFIG, version(first=picky), tasks("a", "bad", "c"), never())
    assert [shown(prediction) for prediction in predictions] == [{"first": "A"}, {}, {"first": "A"}]
    assert predictions[1].score == LAST
    assert [problem.kind for problem in predictions[1].problems] == kinds == ["model"]
    assert predictions[0].score < LAST


@pytest.mark.parametrize(
    "task", [None, 3, "text", [], {}, {"data": None}, {"data": {}}, {"id": "x", "data": {"text": 5}}]
)
def test_a_task_of_any_shape_costs_itself_alone(predictor: Predictor, kinds: list[str], task: Any) -> None:
    predictions = predictor.predict(CONFIG, version(first=by_number), [*tasks("1"), task, *tasks("2")], never())
    assert [bool(prediction.result) for prediction in predictions] == [True, False, True]
    assert kinds == ["task"]


def test_what_is_not_reached_in_time_is_empty(predictor: Predictor, kinds: list[str]) -> None:
    def slow(text: str) -> float:
        time.sleep(0.02)
        return 0.9

    deadline = time.monotonic() + 0.1
    predictions = predictor.predict(CONFIG, version(first=slow), tasks(*map(str, range(200))), deadline)
    assert time.monotonic() < deadline + 2 * TinyModel.at_once * 0.02 + 0.5
    reached = [bool(prediction.result) for prediction in predictions]
    assert len(reached) == 200
    assert reached == sorted(reached, reverse=True)  # the first ones, and no holes
    assert 0 < sum(reached) < 200
    assert kinds == ["deadline"] * (200 - sum(reached))


def test_a_deadline_that_is_over_leaves_everything_to_the_refresh(predictor: Predictor, kinds: list[str]) -> None:
    predictions = predictor.predict(CONFIG, version(first=by_number), tasks("1", "2"), time.monotonic() - 1)
    assert [(prediction.result, prediction.score) for prediction in predictions] == [([], LAST)] * 2
    assert kinds == ["deadline"] * 2


def test_one_control_that_fails_leaves_the_other_s_answer(predictor: Predictor, kinds: list[str]) -> None:
    def broken(text: str) -> float:
        raise ValueError("out of range")

    (prediction,) = predictor.predict(CONFIG, version(first=broken, second=by_number), tasks("1"), never())
    assert shown(prediction) == {"second": "B"}
    assert kinds == ["model"]


def test_an_answer_that_is_no_number_never_becomes_a_score(predictor: Predictor, kinds: list[str]) -> None:
    predictions = predictor.predict(
        CONFIG, version(first=lambda text: math.nan if text == "x" else 0.9), tasks("x", "y"), never()
    )
    assert [shown(prediction) for prediction in predictions] == [{}, {"first": "A"}]
    assert (predictions[0].score, kinds) == (LAST, ["model"])


def test_a_control_without_its_model_is_a_problem_of_every_task(predictor: Predictor, kinds: list[str]) -> None:
    given = LoadedVersion("v0", version(first=by_number).controls, failures={"second": "Its weights are missing."})
    predictions = predictor.predict(CONFIG, given, tasks("1", "2"), never())
    assert [shown(prediction) for prediction in predictions] == [{"first": "B"}] * 2
    assert kinds == ["model", "model"]
    assert predictions[0].problems[0].message == "second: Its weights are missing."


def test_the_blind_part_of_the_holdout_is_shown_nothing(predictor: Predictor) -> None:
    manifest = Manifest("1.1795149789", "v4", 0.0, 0, {}, metrics={"labelled": 100.0})
    predictions = predictor.predict(CONFIG, version(manifest, first=by_number), tasks(*["3"] * 200), never())
    for number, prediction in enumerate(predictions, start=1):
        assert bool(prediction.result) == (role(number, 100) is not Role.HOLDOUT_BLIND)
        assert 0 <= prediction.score <= 1
    assert 0 < sum(not prediction.result for prediction in predictions) < 60


def test_the_least_certain_come_first(predictor: Predictor) -> None:
    predictions = predictor.predict(CONFIG, version(first=float), tasks("0.5", "0.7", "0.99"), never())
    scores = [prediction.score for prediction in predictions]
    assert scores == sorted(scores)
    assert scores[0] == 0.0
    assert scores[-1] < LAST
