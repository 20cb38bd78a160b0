from __future__ import annotations

from pathlib import Path

from model_zoo.runtime import Runtime, shared_runtime
from model_zoo.text_classification.minilm import MiniLM


def test_one_encoder_a_kind_and_runtime() -> None:
    runtime = Runtime()
    assert runtime.encoder(MiniLM) is runtime.encoder(MiniLM)
    assert runtime.encoder(MiniLM) is not Runtime().encoder(MiniLM)


def test_runtimes_of_other_settings_live_side_by_side(tmp_path: Path) -> None:
    assert shared_runtime(tmp_path) is shared_runtime(tmp_path)
    assert shared_runtime(tmp_path) is not shared_runtime()
