from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from model_zoo.base import Progress, Watch
from model_zoo.errors import Cancelled, UnreadableInput, WeightsNotFound
from model_zoo.runtime import Runtime, shared_runtime
from model_zoo.text_classification.batches import TOKENS_A_BATCH, batches
from model_zoo.text_classification.minilm import MiniLM

TEXTS = [
    "",
    "A cat.",
    "Eine Straße in München, naïve café",
    "日本語のテキスト 🙂",
    "word " * 600,
    "The invoice is wrong. " * 7,
]


@pytest.fixture(scope="module")
def encoder() -> MiniLM:
    return shared_runtime().encoder(MiniLM)


def test_equals_transformers(encoder: MiniLM) -> None:
    """As the library itself loads and runs the published files: shape, loading, batching and pooling are right."""
    import torch
    import transformers

    folder = encoder.located.main.parent
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.BertModel.from_pretrained(folder).eval()
    for text, ours in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        batch = tokenizer([text], truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            mean = network(**batch).last_hidden_state[0].mean(dim=0)
        np.testing.assert_allclose(ours, torch.nn.functional.normalize(mean, dim=0).numpy(), atol=1e-5)


def test_a_batch_equals_its_texts(encoder: MiniLM) -> None:
    apart = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS), apart, atol=1e-5)


def test_shape_and_length(encoder: MiniLM) -> None:
    features = encoder.encode(TEXTS)
    assert features.shape == (len(TEXTS), MiniLM.dimensions)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, MiniLM.dimensions)


def test_batches_hold_every_text_once_and_are_bounded() -> None:
    lengths = np.random.default_rng(0).integers(2, 257, 500).tolist()
    made = list(batches(lengths))
    assert sorted(index for batch in made for index in batch) == list(range(500))
    assert all(len(batch) * max(lengths[index] for index in batch) <= TOKENS_A_BATCH for batch in made)


def test_threads_get_what_one_gets(encoder: MiniLM) -> None:
    expected = encoder.encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for features in pool.map(lambda _: encoder.encode(TEXTS), range(4)):
            np.testing.assert_allclose(features, expected, atol=1e-5)


def test_progress_and_cancelling(encoder: MiniLM) -> None:
    told: list[Progress] = []
    encoder.encode(TEXTS * 8, Watch(report=told.append))
    assert [progress.fraction for progress in told] == sorted({progress.fraction for progress in told})
    assert len(told) > 1
    assert told[-1].fraction == 1.0
    stop = Watch(cancelled=lambda: True)
    with pytest.raises(Cancelled, match="0 of 6"):
        encoder.encode(TEXTS, stop)


def test_what_is_no_text_is_refused(encoder: MiniLM) -> None:
    with pytest.raises(UnreadableInput, match="wanted a text"):
        encoder.encode(["fine", None])


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors")
    save_file({"layer.weight": np.zeros((2, 2), np.float32)}, tmp_path / "other.safetensors")
    for name in ("broken.safetensors", "other.safetensors"):
        with pytest.raises(WeightsNotFound, match="does not hold all-MiniLM-L6-v2"):
            Runtime(tmp_path).encoder(MiniLM, name).encode(["text"])
