"""The frozen text network as a reader of words: one vector a word, computed once a text and kept in memory.

They are not stored as other features are: those of a sentence take 75 kB, and reading it takes 10 ms.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.base import UNWATCHED, Watch
from model_zoo.errors import Cancelled
from model_zoo.named_entities.words import Word, read_words
from model_zoo.programs.program import Arrays, Program
from model_zoo.text_classification.batches import batches, padded
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.texts import PASSAGE
from model_zoo.types import FloatArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch.nn import Module

LAYERS = (4, 6)
"""Layers of the network whose vectors stand side by side. The last one alone leans towards what the whole text is
about: with both, F1 at 200 sentences of WNUT17 is 0.33 on the development set, with the last 0.26."""
CORE, CONTEXT = 160, 40
"""Tokens of a window that are used, and those on either side that are read with them."""
TOKENS_OF_A_WORD = 16
"""Tokens of one word that are read: an address of a thousand characters is known by its beginning."""
KEPT, KEPT_OWN = 64 * 1024**2, 8 * 1024**2
"""Bytes of vectors that are kept, the least recently used of which go first; and by a reader that one model has for
itself."""
TOLERANCE = 2e-3
"""By which a compiled form's vectors may differ; their entries are about 0.4 in size, the largest about 5."""

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Passage:
    """Words that follow each other. `vectors` of shape (words, dimensions)."""

    words: tuple[Word, ...]
    vectors: FloatArray


@dataclass(frozen=True)
class Window:
    """Token ids with `ids[begin:end]` those of words; `first` and `last` are the places of each word's tokens in it."""

    ids: list[int]
    words: slice
    first: Ids
    last: Ids


class Reader:
    """Turns texts into passages, and keeps those of the last. Safe to use from several threads."""

    def __init__(self, network: MiniLM, most: int = KEPT) -> None:
        """Keeps `most` bytes of vectors."""
        self.name = f"{network.name} words"
        self.dimensions = network.dimensions * len(LAYERS)
        self.tokenizer = network.located.paths["tokenizer.json"]
        self.program = Program(self.name, lambda: tokens_of(network.bert()), _probes, (TOLERANCE,))
        self.network = network
        self.vectors = Vectors(self.tokenizer, self.dimensions, self.program)
        self._lock = Lock()
        self._kept: OrderedDict[bytes, list[Passage]] = OrderedDict()
        self._held = 0
        self._most = most

    @property
    def nbytes(self) -> int:
        """What it holds in memory at most, beside the process's shared networks."""
        return self.network.nbytes + self._most if self.network.own else 0

    def read(self, texts: Sequence[str], watch: Watch = UNWATCHED) -> list[list[Passage]]:
        """The passages of each text, without those that have no words. Raises `Cancelled`."""
        keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        with self._lock:
            known = {key: self._kept[key] for key in keys if key in self._kept}
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        known.update(zip(fresh, self.vectors.passages(list(fresh.values()), watch), strict=True))
        self._keep({key: known[key] for key in keys})
        return [known[key] for key in keys]

    def _keep(self, read: dict[bytes, list[Passage]]) -> None:
        with self._lock:
            for key, passages in read.items():
                if key in self._kept:
                    self._kept.move_to_end(key)
                    continue
                self._kept[key] = passages
                self._held += _size(passages)
            while self._held > self._most and self._kept:
                self._held -= _size(self._kept.popitem(last=False)[1])


class Vectors:
    """Turns texts into passages by a network that `run` runs, from ids and mask, both (n, tokens), to vectors (n,
    tokens, dimensions). Safe to use from several threads where `run` is."""

    def __init__(self, tokenizer: Path, dimensions: int, run: Callable[..., Arrays]) -> None:
        self._file = tokenizer
        self._dimensions = dimensions
        self._run = run
        self._lock = Lock()
        self._tokenizer: Tokenizer | None = None

    def passages(self, texts: Sequence[str], watch: Watch = UNWATCHED) -> list[list[Passage]]:
        """As `Reader.read`."""
        words = [self.words_of(text) for text in texts]
        flat = [some for several in words for some in several]
        vectors = iter(self._vectors(flat, watch))
        return [[Passage(some, next(vectors)) for some in several] for several in words]

    @staticmethod
    def words_of(text: str) -> list[tuple[Word, ...]]:
        """The words of each of the text's passages that have any."""
        return [tuple(some) for some in _apart(text) if some]

    def _vectors(self, passages: list[tuple[Word, ...]], watch: Watch) -> list[FloatArray]:
        results: list[FloatArray] = [np.zeros((len(words), self._dimensions), np.float32) for words in passages]
        windows = [(at, window) for at, words in enumerate(passages) for window in self.windows(words)]
        for batch in batches([len(window.ids) for _, window in windows]):
            if watch.cancelled():
                raise Cancelled("Stopped while texts were being read.")
            chosen = [windows[index] for index in batch]
            hidden = self._run(*padded([window.ids for _, window in chosen]))[0]
            for row, (at, window) in enumerate(chosen):
                results[at][window.words] = (hidden[row, window.first] + hidden[row, window.last]) / 2
        return results

    def windows(self, words: tuple[Word, ...]) -> Iterator[Window]:
        """What the network reads of a passage, part by part; every word is in one."""
        tokenizer = self._loaded_tokenizer()
        encoding = tokenizer.encode(
            [_plain(word.text) for word in words], is_pretokenized=True, add_special_tokens=False
        )
        tokens: list[list[int]] = [[] for _ in words]
        for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
            if word is not None and len(tokens[word]) < TOKENS_OF_A_WORD:
                tokens[word].append(token)
        unknown, opening, closing = (tokenizer.token_to_id(name) or 0 for name in ("[UNK]", "[CLS]", "[SEP]"))
        tokens = [some or [unknown] for some in tokens]
        start = 0
        while start < len(words):
            stop = _reach(tokens, start, CORE)
            before = _reach(tokens[:start][::-1], 0, CONTEXT) if start else 0
            behind = _reach(tokens, stop, CONTEXT) if stop < len(words) else stop
            ids, first, last = [opening], [], []
            for at in range(start - before, behind):
                if start <= at < stop:
                    first.append(len(ids))
                    last.append(len(ids) + len(tokens[at]) - 1)
                ids += tokens[at]
            yield Window([*ids, closing], slice(start, stop), np.array(first), np.array(last))
            start = stop

    def _loaded_tokenizer(self) -> Tokenizer:
        with self._lock:
            if self._tokenizer is None:
                from tokenizers import Tokenizer

                self._tokenizer = Tokenizer.from_file(str(self._file))
                self._tokenizer.no_padding()
                self._tokenizer.no_truncation()
            return self._tokenizer


def tokens_of(network: Any) -> Module:
    """From token ids and mask, both (n, tokens), to the vectors of `LAYERS` (n, tokens, dimensions)."""
    import torch

    class Tokens(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            layers = network(ids, attention_mask=mask, output_hidden_states=True).hidden_states
            # What stands at padding differs from form to form, and means nothing.
            return torch.cat([layers[number] for number in LAYERS], dim=-1) * mask.unsqueeze(-1)

    return Tokens().eval()


def _apart(text: str) -> list[list[Word]]:
    """The text's words, passage by passage."""
    passages: list[list[Word]] = [[]]
    place = 0
    for word in read_words(text):
        if PASSAGE in text[place : word.start]:
            passages.append([])
        passages[-1].append(word)
        place = word.end
    return passages


def _reach(tokens: Sequence[Sequence[int]], start: int, most: int) -> int:
    """The word behind the last of those from `start` on that have at most so many tokens together, one at least."""
    count, at = 0, start
    while at < len(tokens) and (at == start or count + len(tokens[at]) <= most):
        count += len(tokens[at])
        at += 1
    return at


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _size(passages: list[Passage]) -> int:
    return 200 + sum(passage.vectors.nbytes + 100 * len(passage.words) for passage in passages)


def _probes() -> list[Arrays]:
    """Random words, padded and not, as short and as long as windows are."""
    random = np.random.default_rng(0)
    probes: list[Arrays] = []
    for texts, tokens in ((3, 12), (1, 3), (2, CORE + 2 * CONTEXT)):
        attended = (np.arange(tokens) < random.integers(1, tokens + 1, (texts, 1))).astype(np.int64)
        attended[0] = 1
        probes.append((random.integers(1000, 30000, (texts, tokens)) * attended, attended))
    return probes
