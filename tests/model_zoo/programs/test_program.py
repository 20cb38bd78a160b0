from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

from model_zoo.programs.program import PYTORCH, Array, Arrays, Program, agrees, deviations


class Doubling(torch.nn.Module):
    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        return 2 * numbers


class Adding:
    """A form that is off by a fixed amount."""

    name = "adding"

    def __init__(self, much: float) -> None:
        self.much = much
        self.calls = 0

    def __call__(self, *arrays: Array) -> Arrays:
        self.calls += 1
        return (2 * arrays[0] + np.float32(self.much),)


class Broken:
    name = "broken"

    def __call__(self, *arrays: Array) -> Arrays:
        raise RuntimeError("no such operator")


def numbers(*values: float) -> Array:
    return np.array(values, np.float32)


@pytest.fixture
def program() -> Program:
    return Program("doubling", Doubling, lambda: [(numbers(1, 2),), (numbers(-3),)], (0.01,))


def test_it_runs_in_pytorch_and_builds_on_first_use(program: Program) -> None:
    assert not program.started
    assert program(numbers(4))[0].tolist() == [8]
    assert (program.form, program.started) == (PYTORCH, True)


def test_an_adopted_form_runs_instead(program: Program) -> None:
    program(numbers(4))
    program.adopt(Adding(0.5))
    assert program(numbers(4))[0].tolist() == [8.5]
    assert program.form == "adding"


def test_a_form_that_fails_where_pytorch_answers_is_given_up(program: Program) -> None:
    program.adopt(Broken())
    assert program(numbers(4))[0].tolist() == [8]
    assert program.form == PYTORCH


def test_an_input_that_no_form_takes_costs_the_form_nothing(program: Program) -> None:
    class Picky(Adding):
        def __call__(self, *arrays: Array) -> Arrays:
            if arrays[0].dtype == np.uint16:
                raise ValueError("not these")
            return super().__call__(*arrays)

    class PickyModule(Doubling):
        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            if numbers.dtype == torch.uint16:
                raise ValueError("nor these")
            return super().forward(numbers)

    program = Program("picky", PickyModule, list, (0.01,))
    program.adopt(Picky(0))
    with pytest.raises(ValueError, match="nor these"):
        program(np.array([1], np.uint16))
    assert program.form == "adding"


@pytest.mark.parametrize(("much", "within"), [(0.0, True), (0.009, True), (0.1, False)])
def test_agreement_is_the_largest_difference_on_all_probes(program: Program, much: float, within: bool) -> None:
    found = deviations(program, Adding(much))
    assert found == pytest.approx((much,), abs=1e-6)
    assert agrees(program, found) is within


def test_coarse_agreement_is_the_mean_difference_of_a_probe() -> None:
    class OneOff(Adding):
        def __call__(self, *arrays: Array) -> Arrays:
            far = arrays[0].astype(np.float32)
            far[0] += 1
            return (far,)

    program = Program("coarse", torch.nn.Identity, lambda: [(np.zeros(10, np.float32),)], (0.5,), (0.2,))
    assert deviations(program, OneOff(0), mean=True) == pytest.approx((0.1,))
    assert agrees(program, (0.1,), coarse=True)
    assert not agrees(program, (0.3,), coarse=True)
    assert not agrees(Program("fine", torch.nn.Identity, list, (0.5,)), (0.1,), coarse=True)


def test_other_shapes_and_values_that_are_no_numbers_never_agree(program: Program) -> None:
    class Shorter(Adding):
        def __call__(self, *arrays: Array) -> Arrays:
            return (arrays[0][:0],)

    assert not agrees(program, deviations(program, Shorter(0)))
    assert not agrees(program, deviations(program, Adding(float("nan"))))


def test_calls_of_several_threads_go_one_by_one(program: Program) -> None:
    class Watching(Adding):
        inside = 0
        worst = 0

        def __call__(self, *arrays: Array) -> Arrays:
            self.inside += 1
            self.worst = max(self.worst, self.inside)
            result = super().__call__(*arrays)
            threading.Event().wait(0.002)
            self.inside -= 1
            return result

    form = Watching(0)
    program.adopt(form)
    threads: list[Any] = [threading.Thread(target=program, args=(numbers(1),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (form.worst, form.calls) == (1, 8)
