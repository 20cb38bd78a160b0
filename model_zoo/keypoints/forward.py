"""A network with its head as a program: from pixels to objects and their points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from model_zoo.keypoints.fitting import distances_of
from model_zoo.keypoints.head import REACH, Shape, patches
from model_zoo.object_detection.forward import probes
from model_zoo.object_detection.network import Network
from model_zoo.object_detection.pixels import Fitted
from model_zoo.programs.program import Program
from model_zoo.types import FloatArray, PoseOutput

if TYPE_CHECKING:
    from torch.nn import Module

MOST = 300
"""Candidates that an output keeps."""
LEAST = 0.001
"""Probability below which a candidate is dropped, as in Ultralytics' validation."""
TOLERANCES = (0.5, 0.01, 0.5, 0.05)
"""Pixels, probability, pixels and map values by which a compiled form may differ."""
COARSE = (2.0, 0.001, 2.0, 0.05)
"""The same in the mean over all cells, in bfloat16."""
WINDOW = 0.5
"""How far, in sizes of the object, a point's own map is believed against what the object's centre says of it: the
standard deviation of a bell around that."""
ALONE = 2.0
"""The same where there is no other object that a point could belong to."""
FAINT = 0.05
"""Height of a point's map, so weighed, below which the centre's word stands."""
PEAKS = 24
"""Highest peaks of a point's map that are looked at."""


def whole(key: str, network: Network, head: Module, side: int) -> Program:
    """From pixels (n, height, width, 3) to the head's maps (n, channels, h, w)."""
    return Program(key, lambda: _whole(network, head), lambda: probes(side), TOLERANCES[3:], COARSE[3:])


def known(key: str, network: Network, head: Module, side: int) -> Program:
    """From pixels (n, height, width, 3) to what the pretrained head finds: corners (n, cells, 4), probabilities
    (n, cells, classes), and points (n, cells, 3 * points), x and y in pixels and log-odds; and the head's maps."""
    return Program(key, lambda: _known(network, head), lambda: probes(side), TOLERANCES, COARSE)


def from_maps(fitted: Fitted, maps: FloatArray, shape: Shape, stride: float) -> PoseOutput:
    """One image's objects from its maps (channels, h, w), best first, in pixels of its original."""
    from scipy.ndimage import maximum_filter  # type: ignore[import-untyped]  # it has no types

    parts = {name: part[0] for name, part in shape.split(maps[None]).items()}
    centres = _sigmoid(parts["centres"])
    peaks = (centres == maximum_filter(centres, size=(1, 3, 3))).any(axis=0) & (centres.max(axis=0) > LEAST)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-centres[:, rows, columns].max(axis=0), kind="stable")[:MOST]
    rows, columns = rows[order], columns[order]
    home = np.stack([columns, rows], axis=1) + 0.5
    left, top, right, bottom = distances_of(parts["sides"][:, rows, columns])
    boxes = np.stack([home[:, 0] - left, home[:, 1] - top, home[:, 0] + right, home[:, 1] + bottom], axis=1)
    shifts = parts["shifts"][:, rows, columns].T.reshape(len(rows), shape.points, 2) * REACH
    told = home[:, None] + shifts
    points, heights = _snapped(told, (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=1.0), parts, shape.alone)
    odds = np.zeros((len(rows), shape.points), np.float32)
    located, seen = (_told(parts, name, home, points, odds) for name in ("located", "seen"))
    # Located by people is one thing, found by the map another; a point is shown for both, an object for its points.
    found = (located * heights).sum(axis=1, keepdims=True) / np.maximum(located.sum(axis=1, keepdims=True), 1e-6)
    located = located * heights
    sure = centres[:, rows, columns].T * found
    best = np.argsort(-sure.max(axis=1), kind="stable")[: 1 if shape.alone else MOST]
    return _output(fitted, (boxes * stride)[best], sure[best], (points * stride)[best], located[best], seen[best])


def from_known(
    fitted: Fitted,
    corners: FloatArray,
    probabilities: FloatArray,
    points: FloatArray,
    maps: FloatArray,
    shape: Shape,
    columns: Sequence[int],
    kinds: Sequence[Sequence[int]],
) -> PoseOutput:
    """One image's objects from what the pretrained head found, best first. `columns` are its points that each label
    means, -1 for none, `kinds` its classes that each name of objects means."""
    nothing = np.zeros(len(corners), np.float32)
    given = np.stack([probabilities[:, list(row)].max(axis=1) if row else nothing for row in kinds], axis=1)
    best = given.max(axis=1, initial=0.0)
    likely = np.flatnonzero(best > LEAST)
    chosen = likely[np.argsort(-best[likely], kind="stable")[:MOST]]
    table = points[chosen].reshape(len(chosen), points.shape[1] // 3, 3)[:, list(columns)]
    parts = {name: part[0] for name, part in shape.split(maps[None]).items()}
    stride = fitted.pixels.shape[1] / maps.shape[-1]
    home = corners[chosen].reshape(-1, 2, 2).mean(axis=1) / stride
    located, seen = (_told(parts, name, home, table[..., :2] / stride, table[..., 2]) for name in ("located", "seen"))
    located[:, np.array(columns) < 0] = 0.0
    return _output(fitted, corners[chosen], given[chosen], table[..., :2], located, seen)


def _output(
    fitted: Fitted,
    boxes: npt.NDArray[Any],
    probabilities: FloatArray,
    points: npt.NDArray[Any],
    located: FloatArray,
    seen: FloatArray,
) -> PoseOutput:
    moved = (points - np.array([fitted.left, fitted.top])) / fitted.scale
    return PoseOutput(
        fitted.restore(boxes.astype(np.float32)),
        np.asarray(probabilities, np.float32),
        moved.astype(np.float32),
        located,
        seen,
        fitted.width,
        fitted.height,
    )


def _snapped(
    points: FloatArray, sizes: FloatArray, parts: dict[str, FloatArray], alone: bool
) -> tuple[FloatArray, FloatArray]:
    """Points (n, k, 2) in cells, moved to the peak of their own maps that is highest for its distance, which does not
    matter to an object `alone`, and how high that is (n, k); around it a cell and its neighbours say together where the
    point is, each as loudly as it is sure.
    """
    from scipy.ndimage import maximum_filter

    heat = _sigmoid(parts["heat"])
    count, high, wide = heat.shape
    refined = parts["refined"].reshape(count, 2, high, wide)
    peaks = np.where(heat == maximum_filter(heat, size=(1, 3, 3)), heat, 0.0).reshape(count, -1)
    best = np.argsort(-peaks, axis=1, kind="stable")[:, :PEAKS]
    rows, columns = np.divmod(best, wide)
    each = np.arange(count)
    around, beside = (one.ravel() for one in np.mgrid[-1:2, -1:2])
    below, right = rows[..., None] + around, columns[..., None] + beside
    within = (below >= 0) & (below < high) & (right >= 0) & (right < wide)
    cells = each[:, None, None], np.clip(below, 0, high - 1), np.clip(right, 0, wide - 1)
    voice = heat[cells] * within
    voice = voice / np.maximum(voice.sum(axis=2, keepdims=True), 1e-9)
    across, down = right + 0.5 + refined[:, 0][cells], below + 0.5 + refined[:, 1][cells]
    places = np.stack([(across * voice).sum(axis=2), (down * voice).sum(axis=2)], axis=2)
    distance = np.square(points[:, :, None] - places[None]).sum(-1) / np.square(sizes)[:, None, None]
    heights = np.take_along_axis(peaks, best, axis=1)
    weighed = heights[None] * np.exp(-distance / (2 * (ALONE if alone else WINDOW) ** 2))
    chosen = weighed.argmax(axis=2)
    found = weighed.max(axis=2) >= FAINT
    moved: FloatArray = np.where(found[..., None], places[each[None], chosen], points).astype(np.float32)
    return moved, np.where(found, heights[each[None], chosen], 0.0).astype(np.float32)


def _told(
    parts: dict[str, FloatArray], name: str, home: FloatArray, points: FloatArray, odds: FloatArray
) -> FloatArray:
    """How probable it is (n, k) that points are located or seen: by the object's centre and by their own cells."""
    count, high, wide = parts[name].shape

    def at(places: FloatArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        whole_cells = np.floor(places).astype(np.int64)
        return np.clip(whole_cells[..., 1], 0, high - 1), np.clip(whole_cells[..., 0], 0, wide - 1)

    rows, columns = at(home)
    own_rows, own_columns = at(points)
    here = parts[f"{name}_here"][np.arange(count)[None], own_rows, own_columns]
    told: FloatArray = _sigmoid(odds + parts[name][:, rows, columns].T + here).astype(np.float32)
    return told


def _sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-np.clip(values, -60, 60)))


def _whole(network: Network, head: Module) -> Module:
    import torch

    cell = min(network.strides)

    class Forward(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(network.layers[:-1])
            self.head = head

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            images = pixels.permute(0, 3, 1, 2).float().div(255)
            levels = network.pyramid(network.backbone(images))
            maps: torch.Tensor = self.head([*levels, patches(images, cell)])
            return maps

    return Forward().eval()


def _known(network: Network, head: Module) -> Module:
    import torch

    class Forward(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(network.layers)
            self.head = head

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
            raw = network(pixels.permute(0, 3, 1, 2).float().div(255))
            levels = list(raw.levels)
            points = network.decode_points(network.points_branch(levels), levels)
            return network.decode(raw.boxes, levels), raw.scores.sigmoid().transpose(1, 2), points, self.head(levels)

    return Forward().eval()
