from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from backend.serving.batcher import Batcher
from model_zoo.base import Model
from model_zoo.types import ClassificationOutput, Item, LabelSpace, Output


class Counting(Model):
    """Answers each text with its length; keeps what it was called with. `gate` holds the first call up."""

    labels = LabelSpace(("a",))

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.gate.set()

    def predict(self, items: Sequence[Item]) -> list[Output]:
        texts = [str(item.input) for item in items]
        self.calls.append(texts)
        self.entered.set()
        assert self.gate.wait(10)
        if "bad" in texts:
            raise ValueError("a bad text")
        return [ClassificationOutput(np.array([len(text)], np.float32)) for text in texts]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        return 0


def answers(outputs: Sequence[Output]) -> list[float]:
    return [float(output.probabilities[0]) for output in outputs]


def items(*texts: str) -> list[Item]:
    return [Item(text) for text in texts]


def all_waiting(batcher: Batcher, model: Model, count: int) -> None:
    lane = batcher._lane(model)
    for _ in range(1000):
        if len(lane.waiting) == count:
            return
        time.sleep(0.005)
    raise AssertionError(f"{len(lane.waiting)} requests wait, expected {count}")


@pytest.fixture
def busy() -> Callable[[Batcher, Counting, ThreadPoolExecutor], Future[list[Output]]]:
    """Starts a request that stays in the model until its gate opens."""

    def start(batcher: Batcher, model: Counting, pool: ThreadPoolExecutor) -> Future[list[Output]]:
        model.gate.clear()
        first = pool.submit(batcher.predict, model, items("first"))
        assert model.entered.wait(10)
        return first

    return start


Busy = Callable[[Batcher, Counting, ThreadPoolExecutor], "Future[list[Output]]"]


def test_what_arrives_while_a_batch_runs_goes_together(busy: Busy) -> None:
    batcher, model = Batcher(), Counting()
    with ThreadPoolExecutor(8) as pool:
        first = busy(batcher, model, pool)
        others = [pool.submit(batcher.predict, model, items("x" * n, "y" * n)) for n in range(1, 6)]
        all_waiting(batcher, model, 5)
        model.gate.set()
        assert answers(first.result(10)) == [5]
        assert [answers(other.result(10)) for other in others] == [[n, n] for n in range(1, 6)]
    assert [len(call) for call in model.calls] == [1, 10]


def test_a_batch_is_bounded_and_nobody_is_left_behind(busy: Busy) -> None:
    batcher, model = Batcher(largest=4), Counting()
    with ThreadPoolExecutor(8) as pool:
        first = busy(batcher, model, pool)
        others = [pool.submit(batcher.predict, model, items("a", "b", "c")) for _ in range(3)]
        large = pool.submit(batcher.predict, model, items(*"abcdefgh"))
        all_waiting(batcher, model, 4)
        model.gate.set()
        assert [len(future.result(10)) for future in (first, *others, large)] == [1, 3, 3, 3, 8]
    assert sorted(len(call) for call in model.calls) == [1, 3, 3, 3, 8]


def test_one_bad_item_costs_no_other_request(busy: Busy) -> None:
    batcher, model = Batcher(), Counting()
    with ThreadPoolExecutor(8) as pool:
        first = busy(batcher, model, pool)
        good, bad = (
            pool.submit(batcher.predict, model, items("good")),
            pool.submit(batcher.predict, model, items("bad")),
        )
        all_waiting(batcher, model, 2)
        model.gate.set()
        first.result(10)
        assert answers(good.result(10)) == [4]
        with pytest.raises(ValueError, match="a bad text"):
            bad.result(10)
        assert answers(batcher.predict(model, items("later"))) == [5]


def test_other_models_do_not_wait(busy: Busy) -> None:
    batcher, slow, quick = Batcher(), Counting(), Counting()
    with ThreadPoolExecutor(2) as pool:
        first = busy(batcher, slow, pool)
        assert answers(batcher.predict(quick, items("ab"))) == [2]
        slow.gate.set()
        first.result(10)


def test_an_announced_request_is_waited_for_but_not_for_long() -> None:
    batcher, model = Batcher(patience=5.0), Counting()
    with ThreadPoolExecutor(2) as pool, batcher.announced(model), batcher.announced(model):
        early = pool.submit(batcher.predict, model, items("early"))
        all_waiting(batcher, model, 1)
        late = pool.submit(batcher.predict, model, items("late"))
        assert (answers(early.result(3)), answers(late.result(3))) == ([5], [4])
    assert model.calls == [["early", "late"]]
    impatient = Batcher(patience=0.05)
    with impatient.announced(model), impatient.announced(model):
        begun = time.monotonic()
        impatient.predict(model, items("alone"))
        assert 0.04 < time.monotonic() - begun < 2


def test_a_lone_request_waits_for_nobody() -> None:
    batcher, model = Batcher(patience=30.0), Counting()
    begun = time.monotonic()
    with batcher.announced(model):
        batcher.predict(model, items("alone"))
    assert time.monotonic() - begun < 5


def test_nothing_to_predict_asks_no_model() -> None:
    model = Counting()
    assert Batcher().predict(model, []) == []
    assert model.calls == []
