"""The real compiler on the networks that serve."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model_zoo.base import Encoder
from model_zoo.errors import NotCompilable
from model_zoo.image_classification.efficientnet_lite0 import EfficientNetLite0Encoder
from model_zoo.programs import openvino
from model_zoo.programs.program import Program, agrees, deviations
from model_zoo.runtime import Runtime
from model_zoo.text_classification.minilm import MiniLM

pytestmark = pytest.mark.skipif(not openvino.available(), reason="the extra `compiled` is not installed")

SAMPLES: dict[type[Encoder], list[Any]] = {
    MiniLM: ["one", "two words", "a much longer text, with commas and more. " * 20, "🚆"],
    EfficientNetLite0Encoder: [np.random.default_rng(n).integers(0, 256, (50 + n, 70, 3), np.uint8) for n in range(3)],
}


@pytest.fixture(scope="module", params=list(SAMPLES))
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return Runtime().encoder(request.param)


@pytest.fixture(scope="module")
def folder(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("form")
    openvino.export(encoder.program, folder)
    return folder


def test_the_compiled_form_agrees_and_gives_the_same_features(encoder: Encoder, folder: Path) -> None:
    form = openvino.load(folder)
    found = deviations(encoder.program, form)
    assert agrees(encoder.program, found), found
    samples = SAMPLES[type(encoder)]
    before = encoder.encode(samples)
    encoder.program.adopt(form)
    assert encoder.program.form == "openvino"
    np.testing.assert_allclose(encoder.encode(samples), before, atol=1e-4)
    assert encoder.program.form == "openvino", "it gave up its compiled form on the way"


def test_what_prepare_reads_ahead_gives_the_same_features(encoder: Encoder) -> None:
    samples = SAMPLES[type(encoder)]
    ahead = [encoder.prepare(sample) for sample in samples]
    np.testing.assert_allclose(encoder.encode(ahead), encoder.encode(samples), atol=1e-6)


def test_a_form_of_other_weights_is_noticed(encoder: Encoder, folder: Path, tmp_path: Path) -> None:
    weights = bytearray((folder / openvino.WEIGHTS).read_bytes())
    late_layers = len(weights) // 10 * 9
    weights[late_layers : late_layers + 80_000] = bytes(80_000)
    (tmp_path / openvino.WEIGHTS).write_bytes(weights)
    (tmp_path / openvino.MODEL).write_bytes((folder / openvino.MODEL).read_bytes())
    assert not agrees(encoder.program, deviations(encoder.program, openvino.load(tmp_path)))


def test_a_damaged_or_missing_form_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotCompilable, match="cannot be loaded"):
        openvino.load(tmp_path)
    (tmp_path / openvino.MODEL).write_text("<net/>")
    (tmp_path / openvino.WEIGHTS).write_bytes(b"")
    with pytest.raises(NotCompilable, match="cannot be loaded"):
        openvino.load(tmp_path)


def test_an_operator_that_the_compiler_lacks_is_said(tmp_path: Path) -> None:
    class Odd(torch.nn.Module):
        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvals(numbers @ numbers.T).real

    program = Program("odd", Odd, lambda: [(np.ones((2, 3), np.float32),)], (0.1,))
    with pytest.raises(NotCompilable, match="odd has no compiled form"):
        openvino.export(program, tmp_path)


def test_keys_tell_programs_and_releases_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (Program(key, torch.nn.Identity, list, ()) for key in ("a", "b"))
    first = openvino.form_key(one)
    assert first != openvino.form_key(other)
    monkeypatch.setattr(openvino, "release", lambda: "1.0")
    assert openvino.form_key(one) != first


def test_nothing_is_sent_over_the_network(tmp_path: Path) -> None:
    """OpenVINO reports that it is imported, and its own converter reports its use; what is used here must not."""
    program = f"""
import sys
def listen(event, details):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.posix_spawn"):
        print("SENT", event, details[:1], file=sys.stderr)
import numpy, torch
sys.addaudithook(listen)
from pathlib import Path
from model_zoo.programs import openvino
from model_zoo.programs.program import Program
one = Program("one", lambda: torch.nn.Linear(3, 2), lambda: [(numpy.ones((2, 3), numpy.float32),)], (0.1,))
openvino.export(one, Path({str(tmp_path)!r}))
print(openvino.load(Path({str(tmp_path)!r}))(numpy.ones((5, 3), numpy.float32))[0].shape, openvino.hardware())
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.startswith("(5, 2)")
    assert "SENT" not in done.stderr
    assert list(home.iterdir()) == []
