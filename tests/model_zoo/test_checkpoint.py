from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model_zoo import checkpoint
from model_zoo.checkpoint import Checkpoint
from model_zoo.errors import CheckpointError
from model_zoo.linear.head import LinearHead
from model_zoo.types import LabelSpace

LABELS = LabelSpace(("a", "b"), descriptions=(("first",), ()))
WHOLE = Checkpoint("task/x.v1", LABELS, {"encoder": "e"}, {"weight": np.eye(2, dtype=np.float32)[:, ::-1]})


def test_round_trips_exactly(tmp_path: Path) -> None:
    checkpoint.write(tmp_path / "new" / "folder", WHOLE)
    found = checkpoint.read(tmp_path / "new" / "folder", "task/x.v1", LABELS)
    assert (found.family, found.labels, found.settings) == (WHOLE.family, WHOLE.labels, WHOLE.settings)
    np.testing.assert_array_equal(found.arrays["weight"], WHOLE.arrays["weight"])


def test_another_family_is_refused(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, WHOLE)
    with pytest.raises(CheckpointError, match=r"wanted 'task/y\.v1'"):
        checkpoint.read(tmp_path, "task/y.v1")


def test_changed_descriptions_do_not_matter(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, WHOLE)
    assert checkpoint.read(tmp_path, "task/x.v1", LabelSpace(("a", "b"))).labels == LABELS


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"format": None}, {"labels": ["a", "b"]}, {"labels": {"names": ["a", "a"]}}, {"family": 3}],
)
def test_a_strange_config_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    checkpoint.write(tmp_path, WHOLE)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(CheckpointError):
        checkpoint.read(tmp_path, "task/x.v1")


def test_a_config_that_is_no_object_is_refused(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, WHOLE)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.read(tmp_path, "task/x.v1")


@pytest.mark.parametrize(
    "arrays",
    [
        {"weight": np.zeros((2, 3))},
        {"weight": np.zeros((2, 3)), "bias": np.zeros(3), "floor": np.zeros(2)},
        {"weight": np.zeros(3), "bias": np.zeros(3), "floor": np.zeros(3)},
        {"weight": np.full((2, 3), np.nan), "bias": np.zeros(2), "floor": np.zeros(2)},
    ],
)
def test_a_head_of_wrong_arrays_is_refused(
    arrays: dict[str, npt.NDArray[np.float64]],
) -> None:
    with pytest.raises(CheckpointError, match=r"[Tt]rain again"):
        LinearHead.from_arrays(arrays, multiple=False)
