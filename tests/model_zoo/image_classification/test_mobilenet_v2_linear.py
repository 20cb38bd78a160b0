from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import mobilenet_v2

from model_zoo.errors import WeightsNotFound
from model_zoo.image_classification.mobilenet_v2_linear import DEVIATION, MEAN, MobileNetV2Encoder
from model_zoo.runtime import Runtime

FILE = MobileNetV2Encoder.weights.main


def test_torchvision_s_file_loads_and_gives_what_its_network_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = mobilenet_v2().eval()
    torch.save(network.state_dict(), tmp_path / FILE)
    encoder = Runtime(tmp_path).encoder(MobileNetV2Encoder)
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    with torch.inference_mode():
        colours = (torch.from_numpy(pixels).float() / 255 - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
        whole = network.features(colours.permute(2, 0, 1)[None]).mean(dim=(2, 3))[0].numpy()
    (features,) = encoder.encode([pixels])
    assert features.shape == (MobileNetV2Encoder.dimensions,)
    np.testing.assert_allclose(features[-1280:], whole / np.linalg.norm(whole), atol=1e-4)
    assert encoder.name.startswith("mobilenet_v2.v1+"), "other weights than those tested"


def test_another_network_s_file_is_refused(tmp_path: Path) -> None:
    torch.save({"features.0.0.weight": torch.zeros(1)}, tmp_path / FILE)
    with pytest.raises(WeightsNotFound, match=FILE):
        Runtime(tmp_path).encoder(MobileNetV2Encoder).encode([np.zeros((9, 9, 3), np.uint8)])
