"""Models of the Segment Anything family, where their weights lie in the weights folder: MobileSAM and SAM, in
Ultralytics' code. How large the network is says the file, so that smaller ones and those trained further load, too.

Kirillov et al.: "Segment Anything", ICCV 2023; Zhang et al.: "Faster Segment Anything: Towards Lightweight SAM for
Mobile Applications", 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from model_zoo.errors import WeightsNotFound
from model_zoo.interactive.prompts import Mask, Masked, Pixels, Prompt, inside
from model_zoo.object_detection import upstream
from model_zoo.object_detection.pixels import resize
from model_zoo.types import FloatArray
from model_zoo.weights import Weights

SIDE = 1024
MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)
"""Of ImageNet's pixels, which the weights were trained with."""

MOBILE_SAM = Weights(
    name="mobile_sam",
    files=("mobile_sam.pt",),
    package="",
    folder="",
    sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    size=40_728_226,
    licence="Apache-2.0",
    plain=True,
)

SAM_B = Weights(
    name="sam_b",
    files=("sam_b.pt",),
    package="",
    folder="",
    sha256="",  # never seen here
    size=375_042_383,
    licence="Apache-2.0",
    plain=True,
)
"""Ten times as slow an encoder as MobileSAM's; used where only this one is there."""

WINDOW = 14
"""Cells along the side of what a block of SAM's encoder looks at, unless it looks at the whole image."""
HEAD = 32
"""Channels of a head in all stages of MobileSAM's encoder."""


@dataclass(frozen=True)
class Embedding:
    """What the encoder made of an image, (1, 256, 64, 64), and how the image was scaled into the encoder's square."""

    vectors: FloatArray
    scale: float
    inner: tuple[int, int]


class SegmentAnything:
    """MobileSAM's image embedding takes 3 s on one busy core, a prompt 0.1 s. Safe for threads."""

    name: ClassVar[str] = "segment_anything"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._network: Any = None
        self._lock = Lock()

    def features(self, pixels: Pixels) -> Embedding:
        import torch

        network = self._loaded()
        height, width = pixels.shape[:2]
        scale = SIDE / max(height, width)
        inner = (max(round(width * scale), 1), max(round(height * scale), 1))
        scaled = resize(pixels, inner).astype(np.float32)
        square = np.zeros((SIDE, SIDE, 3), np.float32)
        square[: inner[1], : inner[0]] = (scaled - MEAN) / DEVIATION
        with torch.inference_mode():
            vectors = network.image_encoder(torch.from_numpy(square).permute(2, 0, 1)[None])
        return Embedding(vectors.numpy(), scale, inner)

    def nbytes(self, features: Embedding) -> int:
        return features.vectors.nbytes

    def mask(self, pixels: Pixels, features: Embedding, prompt: Prompt) -> Masked | None:
        import torch

        height, width = pixels.shape[:2]
        positives, negatives = inside(prompt.positives, width, height), inside(prompt.negatives, width, height)
        if not positives and prompt.box is None:
            return None
        network = self._loaded()
        places = np.array([*positives, *negatives], np.float32).reshape(-1, 2) * features.scale
        signs = np.array([1] * len(positives) + [0] * len(negatives), np.int64)
        points = (torch.from_numpy(places)[None], torch.from_numpy(signs)[None]) if len(places) else None
        box = None
        if prompt.box is not None:
            box = torch.tensor([prompt.box], dtype=torch.float32) * features.scale
        with torch.inference_mode():
            sparse, dense = network.prompt_encoder(points=points, boxes=box, masks=None)
            # One click can mean the whole or a part of it: three masks are offered, with how good each is.
            masks, qualities = network.mask_decoder(
                image_embeddings=torch.from_numpy(features.vectors),
                image_pe=network.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=len(places) == 1 and box is None,
            )
        best = int(qualities[0].argmax())
        mask = _whole(masks[0, best].numpy(), features, width, height)
        return Masked(mask, float(np.clip(qualities[0, best].item(), 0, 1)))

    def _loaded(self) -> Any:
        with self._lock:
            if self._network is None:
                self._network = _load(self._file)
            return self._network


def _load(file: Path) -> Any:
    """Tensors alone are unpickled. Raises `WeightsNotFound` where the file holds other ones, and `MissingExtra`."""
    import torch

    upstream.require()
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        tensors = tensors.get("model", tensors)
        network = _network({name: tuple(tensor.shape) for name, tensor in tensors.items()})
        network.load_state_dict(tensors)
    except (
        *(RuntimeError, OSError, EOFError, UnpicklingError),
        *(AttributeError, TypeError, KeyError, IndexError, ValueError, ZeroDivisionError),
    ) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsNotFound(
            f"{file.name} holds no weights of the Segment Anything family: {said}. Put mobile_sam.pt or sam_b.pt "
            "there, or take this file away."
        ) from error
    return network.eval().requires_grad_(False)


def _network(shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """The network that tensors of these shapes belong to. Raises `KeyError` and the like where there is none."""
    encoder = "image_encoder."
    if f"{encoder}pos_embed" in shapes:
        width = shapes[f"{encoder}pos_embed"][-1]
        relative = [shapes[f"{encoder}blocks.{at}.attn.rel_pos_h"] for at in range(_count(shapes, f"{encoder}blocks."))]
        wide = [at for at, shape in enumerate(relative) if shape[0] > 2 * WINDOW - 1]
        return upstream.segment_anything([width], [len(relative)], [width // relative[0][1]], wide)
    stages = [f"{encoder}layers.{at}.blocks." for at in range(_count(shapes, f"{encoder}layers."))]
    first = shapes[f"{encoder}patch_embed.seq.2.c.weight"][0]
    widths = [first, *(shapes[f"{stage}0.attn.norm.weight"][0] for stage in stages[1:])]
    depths = [_count(shapes, stage) for stage in stages]
    return upstream.segment_anything(widths, depths, [width // HEAD for width in widths], None)


def _count(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> int:
    """How many numbered parts there are below a name."""
    return len({name[len(prefix) :].split(".")[0] for name in shapes if name.startswith(prefix)})


def _whole(logits: FloatArray, features: Embedding, width: int, height: int) -> Mask:
    """The decoder's answer (256, 256) over the original image."""
    import cv2

    share = len(logits) / SIDE
    scale = features.scale * share
    matrix = np.array([[scale, 0, 0.5 * scale - 0.5], [0, scale, 0.5 * scale - 0.5]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    full = cv2.warpAffine(logits, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask: Mask = full > 0
    return mask
