"""The real compiler on a small network: exported, tried, swapped in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.serving.compiler import Compiler
from backend.serving.compiling import Forms
from backend.serving.pool import LoadedControl, LoadedVersion
from backend.store.artifacts import Artifacts
from backend.store.compiled import CompiledForms
from backend.store.objects import ObjectStore
from model_zoo.base import Model
from model_zoo.errors import NotCompilable
from model_zoo.programs import openvino
from model_zoo.programs.program import PYTORCH, Program
from model_zoo.types import Item, LabelSpace, Output

pytestmark = pytest.mark.skipif(not openvino.available(), reason="the extra `compiled` is not installed")

ONES = np.ones((2, 3), np.float32)


def build() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2)


def program(key: str = "small", tolerance: float = 1e-5, module: Callable[[], torch.nn.Module] = build) -> Program:
    return Program(key, module, lambda: [(ONES,), (2 * ONES[:1],)], (tolerance,))


class Loaded(Model):
    """A model that is nothing but its programs."""

    labels = LabelSpace(())

    def __init__(self, of: tuple[Program, ...]) -> None:
        self.of = of

    def programs(self) -> tuple[Program, ...]:
        return self.of

    def predict(self, items: Sequence[Item]) -> list[Output]:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        return 0


def version(*programs: Program) -> LoadedVersion:
    anything: Any = None
    return LoadedVersion("v1", {"c": LoadedControl("", anything, Loaded(programs), anything)})


@pytest.fixture
def stored(tmp_path: Path) -> CompiledForms:
    store = ObjectStore(tmp_path / "store")
    return CompiledForms(store, Artifacts(store))


@pytest.fixture
def forms(stored: CompiledForms, tmp_path: Path) -> Forms:
    return Forms(stored, tmp_path / "notes", threads=1)


@pytest.fixture
def asked() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def compiler(forms: Forms, asked: list[tuple[str, str]]) -> Iterator[Compiler]:
    compiler = Compiler(forms, lambda uid, name: asked.append((uid, name)), look_every=0.02, ask_after=0.1)
    compiler.start()
    yield compiler
    compiler.close()
    assert "prelabel-compiler" not in [thread.name for thread in threading.enumerate()]


def soon(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return condition()


def test_made_once_and_taken_by_others_without_pytorch(forms: Forms) -> None:
    first, second = program(), program()
    assert not forms.known(first)
    assert forms.make(first)
    expected = build()(torch.from_numpy(ONES)).detach().numpy()
    np.testing.assert_allclose(first(ONES)[0], expected, atol=1e-6)
    assert forms.known(second)
    assert forms.adopt(second)
    assert (second.form, second._eager) == ("openvino", None)
    np.testing.assert_allclose(second(ONES)[0], expected, atol=1e-6)


def test_another_machine_tries_for_itself(forms: Forms, stored: CompiledForms, tmp_path: Path) -> None:
    forms.make(program())
    elsewhere = Forms(stored, tmp_path / "other notes")
    assert not elsewhere.known(program())
    assert elsewhere.adopt(program())
    assert elsewhere.known(program())


def test_what_does_not_agree_is_not_served(forms: Forms) -> None:
    # The same key with other weights: as if the store held something else.
    forms.make(program())
    other = program(module=lambda: torch.nn.Linear(3, 2))
    fresh = Forms(forms._store, Path(str(forms._notes.path) + "-fresh"))
    with pytest.raises(NotCompilable, match=r"off by .* PyTorch runs it"):
        fresh.adopt(other)
    assert other.form == PYTORCH


def wide(coarse: float) -> Program:
    """Sums of many numbers, so that bfloat16 makes a difference."""
    torch.manual_seed(0)
    module = torch.nn.Linear(512, 64).eval()
    probe = torch.randn(4, 512).numpy()
    return Program(f"wide {coarse}", lambda: module, lambda: [(probe,)], (1e-3,), (coarse,))


@pytest.mark.skipif(openvino.available() and not openvino.has_bfloat16(), reason="no bfloat16 in this processor")
@pytest.mark.parametrize(("coarse", "taken"), [(1.0, True), (1e-9, False)])
def test_bfloat16_is_taken_where_the_program_bears_it(forms: Forms, coarse: float, taken: bool) -> None:
    for _ in range(2):  # the second finds what the first found out
        tried = wide(coarse)
        assert forms.make(tried)
        (probe,) = tried.probes()[0]
        far = np.abs(tried(probe)[0] - tried.eager()(probe)[0]).mean()
        assert bool(far > 1e-5) is taken, far


def test_a_server_takes_a_form_once_it_appears(compiler: Compiler, forms: Forms, asked: list[Any]) -> None:
    serving = program()
    before = serving(ONES)[0]
    loaded = version(serving)
    compiler.offer("1.2", loaded)
    assert soon(lambda: asked == [("1.2", "v1")]), "nobody was asked to make the form"
    assert serving.form == PYTORCH
    forms.make(program())
    assert soon(lambda: serving.form == "openvino")
    np.testing.assert_allclose(serving(ONES)[0], before, atol=1e-6)
    compiler.offer("1.2", loaded)
    assert compiler._pending() == []


def test_a_known_form_is_taken_before_pytorch_is_loaded(compiler: Compiler, forms: Forms) -> None:
    forms.make(program())
    fresh = program(module=lambda: pytest.fail("PyTorch's form was built"))
    compiler.offer(None, version(fresh))
    assert fresh.form == "openvino"


def test_nobody_loads_pytorch_while_a_worker_makes_the_form(compiler: Compiler, forms: Forms) -> None:
    waiting = program(module=lambda: pytest.fail("PyTorch's form was built"))
    compiler.offer("1.2", version(waiting))
    thread = threading.Thread(target=compiler.wait_for, args=(waiting,))
    thread.start()
    forms.make(program())
    thread.join(10)
    assert waiting.form == "openvino"


@pytest.mark.parametrize("run_meanwhile", [True, False])
def test_a_form_that_does_not_come_is_not_waited_for_long(forms: Forms, run_meanwhile: bool) -> None:
    patient = Compiler(forms, look_every=0.02, awaited_for=600.0 if run_meanwhile else 0.1)
    waiting = program()
    thread = threading.Thread(target=patient.wait_for, args=(waiting,))
    thread.start()
    if run_meanwhile:
        waiting(ONES)
    thread.join(10)
    assert not thread.is_alive()
    assert waiting.form == PYTORCH


def test_a_version_that_left_memory_is_forgotten(compiler: Compiler) -> None:
    compiler.offer("1.2", version(program("gone")))
    assert soon(lambda: compiler._pending() == [])


def test_one_that_cannot_be_compiled_ends_nothing(compiler: Compiler, forms: Forms) -> None:
    forms.make(program("a"))
    forms._store.put(openvino.form_key(program("b")), _nonsense(forms))
    good, bad = program("a"), program("b")
    bad(ONES)
    good(ONES)
    kept = version(bad, good)
    compiler.offer("1.2", kept)
    assert soon(lambda: good.form == "openvino")
    assert bad.form == PYTORCH
    assert bad(ONES)[0].shape == (2, 2)


def test_switched_off_means_pytorch(stored: CompiledForms, tmp_path: Path) -> None:
    off = Forms(stored, tmp_path / "notes", enabled=False)
    assert not off.usable
    one = program()
    off.make_all([one])
    assert one.form == PYTORCH


def _nonsense(forms: Forms) -> Path:
    folder = forms._notes.path.parent / "nonsense"
    folder.mkdir()
    (folder / openvino.MODEL).write_text("<net/>")
    (folder / openvino.WEIGHTS).write_bytes(b"")
    return folder
