"""Words and the beam search, by hand and against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model_zoo.captions.decoder import Decoder
from model_zoo.captions.fitting import Hyperparameters, Pairs, fit_decoder
from model_zoo.captions.vocabulary import END, Vocabulary
from model_zoo.errors import CheckpointError

SAID = ["A dog, and a cat (asleep).", "It's a well-known 50% cat!"]
WORDS = Vocabulary.of(SAID)
SMALL = Hyperparameters(hidden=6, embedded=5, epochs=2, dropout=0.0)


@pytest.mark.parametrize("text", SAID)
def test_sentences_come_back_as_they_were(text: str) -> None:
    assert WORDS.decode(WORDS.encode(text)) == text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS.words), max_size=30))
def test_any_numbers_come_back(words: list[str]) -> None:
    text = WORDS.decode(WORDS.encode(" ".join(words)))
    assert WORDS.encode(text) == WORDS.encode(WORDS.decode(WORDS.encode(text)))


def test_unknown_words_are_left_out() -> None:
    assert WORDS.decode(WORDS.encode("A zebra and a cat")) == "A and a cat"


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    random = np.random.default_rng(0)
    pairs = Pairs.of(random.normal(size=(2, 7)).astype(np.float32), [[text] for text in SAID])
    return fit_decoder(pairs, WORDS, SMALL, 0, lambda: None)[0]


def test_a_beam_that_holds_everything_finds_the_likeliest(decoder: Decoder) -> None:
    """Two words at most: all sentences can be listed, with torch's LSTM."""
    features = np.random.default_rng(1).normal(size=7).astype(np.float32)
    arrays = {name: torch.from_numpy(array) for name, array in decoder.arrays.items()}
    cell = torch.nn.LSTM(SMALL.embedded, SMALL.hidden, batch_first=True)
    cell.load_state_dict({name[5:]: tensor for name, tensor in arrays.items() if name.startswith("cell.")})
    hidden = torch.tanh(torch.from_numpy(features) @ arrays["start.weight"].T + arrays["start.bias"])[None, None]

    def likelihood(path: tuple[int, ...]) -> float:
        with torch.no_grad():
            states, _ = cell(arrays["embedding.weight"][[END, *path]][None], (hidden, torch.zeros_like(hidden)))
            logs = (states[0] @ arrays["out.weight"].T + arrays["out.bias"]).log_softmax(dim=1)
        return float(np.exp(np.mean([float(logs[at, word]) for at, word in enumerate((*path, END))])))

    numbers = range(2, len(WORDS))
    everything = [(first,) for first in numbers] + [(first, second) for first in numbers for second in numbers]
    found = decoder.write(features, 2, beams=len(everything) + len(WORDS))
    assert max(map(likelihood, everything)) == pytest.approx(found[0].likelihood, abs=1e-5)
    for sentence in found[:5]:
        assert sentence.likelihood == pytest.approx(likelihood(sentence.numbers), abs=1e-5)


def test_sentences_end(decoder: Decoder) -> None:
    for longest in (1, 5, 40):
        found = decoder.write(np.zeros(7, np.float32), longest)
        assert 1 <= len(found) <= 3
        assert all(1 <= len(sentence.numbers) <= longest for sentence in found)


def test_weights_that_do_not_fit_are_refused(decoder: Decoder) -> None:
    arrays = dict(decoder.arrays)
    for name, broken in (
        ("out.bias", arrays["out.bias"][1:]),
        ("cell.weight_hh_l0", arrays["cell.weight_hh_l0"][1:]),
        ("start.bias", np.full_like(arrays["start.bias"], np.nan)),
        ("embedding.weight", arrays["embedding.weight"][0]),
    ):
        with pytest.raises(CheckpointError, match=name):
            Decoder({**arrays, name: broken})
    with pytest.raises(CheckpointError, match=r"lacks out\.bias"):
        Decoder({name: array for name, array in arrays.items() if name != "out.bias"})
