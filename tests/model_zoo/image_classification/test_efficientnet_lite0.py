from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_zoo.base import Progress, Watch
from model_zoo.errors import Cancelled, UnreadableInput
from model_zoo.image_classification.efficientnet_lite0 import EfficientNetLite0Encoder
from model_zoo.image_classification.encoder import BATCH
from model_zoo.runtime import shared_runtime
from model_zoo.types import Input


@pytest.fixture(scope="module")
def encoder() -> EfficientNetLite0Encoder:
    return shared_runtime().encoder(EfficientNetLite0Encoder)


@pytest.fixture(scope="module")
def images() -> list[Input]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (30 + index, 40, 3), dtype=np.uint8) for index in range(BATCH + 3)]


def test_the_last_part_is_what_the_network_itself_gives(encoder: EfficientNetLite0Encoder) -> None:
    import timm
    import torch

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    published = torch.load(encoder.located.main, weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), published.values(), strict=True)))
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    with torch.inference_mode():
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
        whole = network.forward_features(image).mean(dim=(2, 3))[0].numpy()
    np.testing.assert_allclose(encoder.encode([pixels])[0, -1280:], whole / np.linalg.norm(whole), atol=1e-4)


def test_a_batch_equals_its_images(encoder: EfficientNetLite0Encoder, images: list[Input]) -> None:
    apart = np.concatenate([encoder.encode([image]) for image in images])
    np.testing.assert_allclose(encoder.encode(images), apart, atol=1e-5)


def test_shape_and_length(encoder: EfficientNetLite0Encoder, images: list[Input]) -> None:
    features = encoder.encode(images)
    assert features.shape == (len(images), EfficientNetLite0Encoder.dimensions)
    for part in np.split(features, [448, 448 + 1728], axis=1):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1, atol=1e-5)
    assert encoder.encode([]).shape == (0, EfficientNetLite0Encoder.dimensions)


def test_a_file_gives_what_its_pixels_give(encoder: EfficientNetLite0Encoder, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    np.testing.assert_allclose(encoder.encode([tmp_path / "x.png"]), encoder.encode([pixels]), atol=1e-5)


def test_what_is_where_matters(encoder: EfficientNetLite0Encoder) -> None:
    corner = np.full((100, 100, 3), 255, np.uint8)
    corner[:30, :30] = 0
    first, second = encoder.encode([corner, corner[::-1].copy()])
    assert float(first @ second) < 0.95 * float(first @ first)


def test_progress_and_cancelling(encoder: EfficientNetLite0Encoder, images: list[Input]) -> None:
    told: list[Progress] = []
    encoder.encode(images, Watch(report=told.append))
    assert [progress.fraction for progress in told] == [BATCH / len(images), 1.0]
    with pytest.raises(Cancelled, match="0 of"):
        encoder.encode(images, Watch(cancelled=lambda: True))


def test_an_unreadable_image_is_named(encoder: EfficientNetLite0Encoder, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("a text")
    with pytest.raises(UnreadableInput, match=r"broken\.jpg"):
        encoder.encode([tmp_path / "broken.jpg"])
