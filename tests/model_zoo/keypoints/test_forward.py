"""From maps to objects: what is drawn into them is found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_zoo.keypoints.forward import from_maps
from model_zoo.keypoints.head import REACH, Shape
from model_zoo.object_detection.pixels import Fitted

SHAPE = Shape(kinds=1, points=2, whole=True)
CELLS, STRIDE = 16, 8.0
NOWHERE = -9.0


def maps(points: list[tuple[float, float]], centre: tuple[int, int], coarse: float) -> np.ndarray:  # type: ignore[type-arg]
    """An object's maps whose points are these, in cells; its centre says them wrong by `coarse` cells."""
    channels = sum(sum(part.values()) for part in (SHAPE.objects, SHAPE.places, SHAPE.seeing))
    made = np.zeros((channels, CELLS, CELLS), np.float32)
    parts = {name: part[0] for name, part in SHAPE.split(made[None]).items()}
    parts["centres"][:] = parts["heat"][:] = NOWHERE
    x, y = centre
    parts["centres"][0, y, x] = 3.0
    parts["sides"][:, y, x] = np.log(np.expm1(np.array([4, 3, 4, 3]) / REACH))
    rows, columns = np.indices((CELLS, CELLS))
    for number, (across, down) in enumerate(points):
        parts["heat"][number, int(down), int(across)] = 2.0
        parts["refined"][2 * number] = across - columns - 0.5
        parts["refined"][2 * number + 1] = down - rows - 0.5
        parts["shifts"][2 * number : 2 * number + 2, y, x] = (
            np.array([across - x - 0.5 + coarse, down - y - 0.5]) / REACH
        )
    parts["located"][1, y, x], parts["seen_here"][0] = -3.0, 3.0
    return made


def test_points_are_where_their_maps_are_highest() -> None:
    wanted = [(4.3, 6.8), (11.6, 8.1)]
    fitted = Fitted(np.zeros((128, 128, 3), np.uint8), 0.5, 0, 16, 256, 192)
    found = from_maps(fitted, maps(wanted, (8, 7), 2.0), SHAPE, STRIDE)
    assert found.points.shape[0] >= 1
    np.testing.assert_allclose(found.points[0], (np.array(wanted) * STRIDE - [0, 16]) / 0.5, atol=0.5)
    np.testing.assert_allclose(found.boxes[0], [72, 40, 200, 136], atol=0.1)
    assert found.located[0, 0] == pytest.approx(0.5 / (1 + np.exp(-2.0))), "as likely as its map is high"
    assert found.located[0, 1] < 0.1
    assert found.seen[0, 0] > 0.9
    assert 0.8 < found.probabilities[0, 0] < found.seen[0, 0], "as likely as its centre and its points together"


def test_where_no_map_speaks_the_centre_does() -> None:
    drawn = maps([(4.5, 6.5), (11.5, 8.5)], (8, 7), 0.0)
    SHAPE.split(drawn[None])["heat"][:] = NOWHERE
    found = from_maps(Fitted(np.zeros((128, 128, 3), np.uint8), 1.0, 0, 0, 128, 128), drawn, SHAPE, STRIDE)
    np.testing.assert_allclose(found.points[0], [[36, 52], [92, 68]], atol=0.01)
    assert found.located[0].max() == 0, "it is a guess"


def test_of_an_object_alone_a_point_is_wherever_its_map_says() -> None:
    """Its centre takes head for tail."""
    wanted = [(3.5, 6.5), (12.5, 8.5)]
    drawn = maps(wanted, (8, 7), 0.0)
    shifts = SHAPE.split(drawn[None])["shifts"][0]
    shifts[:] = shifts[[2, 3, 0, 1]]
    heat = SHAPE.split(drawn[None])["heat"][0]
    heat[0, 8, 12] = -1.0  # a faint doubt
    SHAPE.split(drawn[None])["refined"][0, :2, 7:10, 11:14] = 0
    places = {}
    for alone in (True, False):
        found = from_maps(Fitted(np.zeros((128, 128, 3), np.uint8), 1.0, 0, 0, 128, 128), drawn,
                          replace(SHAPE, alone=alone), STRIDE)  # fmt: skip
        places[alone] = found.points[0, 0] / STRIDE
    np.testing.assert_allclose(places[True], wanted[0], atol=0.01)
    np.testing.assert_allclose(places[False], wanted[1], atol=0.05)
