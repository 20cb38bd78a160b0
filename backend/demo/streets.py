"""Street scenes drawn on the spot: houses, a road, and on it what is to be found."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

STREETS = 120
WIDTH, HEIGHT = 640, 400
SEED = 3
_FINER = 2
"""Scenes are drawn so many times larger and scaled down, for smooth edges."""

STREETS_CONFIG = """<View>
  <Header value="Draw a box around every vehicle, pedestrian and sign."/>
  <Image name="image" value="$image" zoom="true"/>
  <RectangleLabels name="objects" toName="image">
    <Label value="Vehicle" hotkey="1" background="#2563eb" predicted_values="car,bus,truck"/>
    <Label value="Pedestrian" hotkey="2" background="#dc2626" predicted_values="person"/>
    <Label value="Sign" hotkey="3" background="#ca8a04" predicted_values="stop sign"/>
  </RectangleLabels>
</View>"""

Area = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels of the finished scene."""


@dataclass(frozen=True)
class Drawn:
    """Something in a scene: its label in the config, and where it is."""

    label: str
    area: Area


@dataclass(frozen=True)
class Street:
    """A JPEG file of one scene. What is in it is for tests: people are to draw it themselves."""

    name: str
    jpeg: bytes
    objects: tuple[Drawn, ...]


def streets(count: int = STREETS) -> Iterator[Street]:
    """`count` scenes, no two alike; always the same ones."""
    for number in range(count):
        yield _street(number, random.Random(SEED * 10_000 + number))


def _street(number: int, chance: random.Random) -> Street:
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (WIDTH * _FINER, HEIGHT * _FINER))
    draw = ImageDraw.Draw(picture)
    horizon = chance.uniform(0.42, 0.55) * HEIGHT
    _background(draw, chance, horizon)
    objects = _placed(chance, horizon)
    for drawn in objects:
        _PAINTERS[drawn.label](draw, drawn.area, chance)
    finished = picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    finished.save(buffer, "JPEG", quality=88)
    return Street(f"street-{number:03}.jpg", buffer.getvalue(), tuple(objects))


def _placed(chance: random.Random, horizon: float) -> list[Drawn]:
    """Up to eight objects that hardly cover each other, the farthest first. What stands lower is nearer and larger."""
    wanted = (
        ["Vehicle"] * chance.randint(0, 3) + ["Pedestrian"] * chance.randint(0, 3) + ["Sign"] * chance.randint(0, 2)
    )
    placed: list[Drawn] = []
    for label in wanted or ["Vehicle"]:
        for _ in range(20):
            ground = chance.uniform(horizon + 18, HEIGHT - 6)
            near = (ground - horizon) / (HEIGHT - horizon)
            area = _area(label, chance, ground, 0.35 + 0.9 * near)
            if not any(_touch(area, other.area) for other in placed):
                placed.append(Drawn(label, area))
                break
    return sorted(placed, key=lambda drawn: drawn.area[3])


def _area(label: str, chance: random.Random, ground: float, size: float) -> Area:
    width, height = {
        "Vehicle": (chance.uniform(105, 190), chance.uniform(58, 84)),
        "Pedestrian": (chance.uniform(30, 40), chance.uniform(92, 112)),
        "Sign": (chance.uniform(34, 44), chance.uniform(100, 130)),
    }[label]
    width, height = width * size, height * size
    left = chance.uniform(4, WIDTH - 4 - width)
    return left, ground - height, left + width, ground


def _touch(first: Area, second: Area) -> bool:
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    return across > 2 and down > 2


class _Pen:
    """Draws in shares of an area: (0, 0) is its top left corner, (1, 1) its bottom right one."""

    def __init__(self, draw: ImageDraw, area: Area) -> None:
        self._draw = draw
        self._left, self._top, right, bottom = (value * _FINER for value in area)
        self._width, self._height = right - self._left, bottom - self._top

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self._left + x * self._width, self._top + y * self._height

    def polygon(self, points: list[tuple[float, float]], fill: str) -> None:
        self._draw.polygon([self.at(x, y) for x, y in points], fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str, round_by: float = 0.0) -> None:
        radius = round_by * min(self._width, self._height)
        self._draw.rounded_rectangle([self.at(left, top), self.at(right, bottom)], radius, fill=fill)

    def ellipse(self, left: float, top: float, right: float, bottom: float, fill: str) -> None:
        self._draw.ellipse([self.at(left, top), self.at(right, bottom)], fill=fill)

    def disc(self, x: float, y: float, radius: float, fill: str) -> None:
        """A circle whose radius is a share of the area's height."""
        (across, down), reach = self.at(x, y), radius * self._height
        self._draw.ellipse([across - reach, down - reach, across + reach, down + reach], fill=fill)


def _background(draw: ImageDraw, chance: random.Random, horizon: float) -> None:
    sky = chance.choice(
        [("#a9cdf0", "#e8f2fb"), ("#c9d3dc", "#eef1f4"), ("#f2c9a1", "#fbe9d3"), ("#8fb3d9", "#cfe0ef")]
    )
    pen = _Pen(draw, (0, 0, WIDTH, HEIGHT))
    pen.box(0, 0, 1, 1, sky[0])
    pen.box(0, 0.18, 1, 1, sky[1])
    line = horizon / HEIGHT
    left = -0.02
    while left < 1:
        right = left + chance.uniform(0.08, 0.2)
        _house(pen, chance, left, right, line - chance.uniform(0.14, 0.4), line)
        left = right + chance.choice([0, 0, 0.02])
    pavement = line + 0.06
    pen.box(0, line - 0.005, 1, pavement, chance.choice(["#b9b5ad", "#a8a39a", "#c6c1b6"]))
    pen.box(0, pavement, 1, 1, chance.choice(["#5b5d61", "#6a6c70", "#4d4f54"]))
    lane = pavement + (1 - pavement) * 0.5
    for dash in range(9):
        pen.box(dash * 0.12, lane, dash * 0.12 + 0.06, lane + 0.012, "#e9e7dc")


def _house(pen: _Pen, chance: random.Random, left: float, right: float, top: float, bottom: float) -> None:
    pen.box(left, top, right, bottom, chance.choice(["#b5836a", "#c9b79c", "#9aa5ad", "#d3a17e", "#8d7b6c", "#bcc0b2"]))
    window = chance.choice(["#dfe8ee", "#4a5a68", "#f5dc9a"])
    columns, rows = chance.randint(2, 4), chance.randint(2, 4)
    for column in range(columns):
        for row in range(rows):
            x = left + (column + 0.3) * (right - left) / columns
            y = top + (row + 0.3) * (bottom - top) / (rows + 0.5)
            pen.box(x, y, x + 0.4 * (right - left) / columns, y + 0.45 * (bottom - top) / (rows + 0.5), window)


def _vehicle(draw: ImageDraw, area: Area, chance: random.Random) -> None:
    pen = _Pen(draw, area)
    paint = chance.choice(["#c0392b", "#2c3e50", "#2980b9", "#27ae60", "#f1c40f", "#ecf0f1", "#7f8c8d", "#8e44ad"])
    glass = "#bcd4e6"
    if chance.random() < 0.3:  # a van or a bus
        pen.box(0, 0, 1, 0.86, paint, 0.08)
        for window in range(4):
            pen.box(0.05 + window * 0.235, 0.14, 0.24 + window * 0.235, 0.44, glass)
    else:
        front = chance.uniform(0.12, 0.2)
        pen.polygon([(front, 0.48), (front + 0.13, 0), (0.74, 0), (0.9, 0.48)], paint)
        pen.polygon([(front + 0.06, 0.44), (front + 0.16, 0.08), (0.45, 0.08), (0.45, 0.44)], glass)
        pen.polygon([(0.49, 0.44), (0.49, 0.08), (0.71, 0.08), (0.81, 0.44)], glass)
        pen.box(0, 0.4, 1, 0.84, paint, 0.12)
    pen.box(0.0, 0.5, 0.035, 0.6, "#f6e7a1")
    pen.box(0.965, 0.5, 1, 0.6, "#d64545")
    for wheel in (0.21, 0.79):
        pen.disc(wheel, 0.81, 0.19, "#1d1f21")
        pen.disc(wheel, 0.81, 0.09, "#a7abb0")


def _pedestrian(draw: ImageDraw, area: Area, chance: random.Random) -> None:
    pen = _Pen(draw, area)
    coat = chance.choice(["#2e86c1", "#af601a", "#1e8449", "#922b21", "#f4d03f", "#5b2c6f", "#ffffff"])
    trousers = chance.choice(["#1c2833", "#34495e", "#6e4b2a", "#273746"])
    skin = chance.choice(["#f1c9a5", "#c68642", "#8d5524", "#e0ac69"])
    stride = chance.uniform(0.1, 0.42)
    pen.polygon([(0.4, 0.55), (0.6, 0.55), (0.5 - stride * 0.2, 1), (0.5 - stride, 1)], trousers)
    pen.polygon([(0.42, 0.55), (0.62, 0.55), (0.5 + stride, 1), (0.5 + stride * 0.3, 1)], trousers)
    pen.polygon([(0.3, 0.22), (0.4, 0.24), (0.14, 0.58), (0, 0.55)], coat)
    pen.polygon([(0.6, 0.24), (0.7, 0.22), (1, 0.55), (0.86, 0.58)], coat)
    pen.box(0.27, 0.19, 0.73, 0.6, coat, 0.25)
    pen.disc(0.5, 0.095, 0.095, skin)
    pen.ellipse(0.24, 0, 0.76, 0.09, chance.choice(["#2b1b0e", "#d8b45a", "#5d4037", "#9e9e9e"]))


def _sign(draw: ImageDraw, area: Area, chance: random.Random) -> None:
    pen = _Pen(draw, area)
    pen.box(0.46, 0.2, 0.54, 1, "#8a8f94")
    top = 1.0 * (area[2] - area[0]) / (area[3] - area[1])
    """Share of the height at which a plate as high as it is wide ends."""
    kind = chance.choice(["stop", "yield", "speed", "way"])
    if kind == "stop":
        octagon = [(0.29, 0), (0.71, 0), (1, 0.29), (1, 0.71), (0.71, 1), (0.29, 1), (0, 0.71), (0, 0.29)]
        pen.polygon([(x, y * top) for x, y in octagon], "#c0272d")
        pen.box(0.2, 0.42 * top, 0.8, 0.58 * top, "#ffffff")
    elif kind == "yield":
        pen.polygon([(0, 0), (1, 0), (0.5, top)], "#c0272d")
        pen.polygon([(0.2, 0.12 * top), (0.8, 0.12 * top), (0.5, 0.72 * top)], "#ffffff")
    elif kind == "speed":
        pen.ellipse(0, 0, 1, top, "#c0272d")
        pen.ellipse(0.16, 0.16 * top, 0.84, 0.84 * top, "#ffffff")
        pen.box(0.34, 0.36 * top, 0.44, 0.64 * top, "#202020")
        pen.box(0.54, 0.36 * top, 0.68, 0.64 * top, "#202020")
    else:
        pen.box(0, 0, 1, top, "#1f5fae", 0.05)
        pen.polygon([(0.5, 0.16 * top), (0.8, 0.5 * top), (0.2, 0.5 * top)], "#ffffff")
        pen.box(0.42, 0.45 * top, 0.58, 0.85 * top, "#ffffff")


_PAINTERS: dict[str, Callable[[ImageDraw, Area, random.Random], None]] = {
    "Vehicle": _vehicle,
    "Pedestrian": _pedestrian,
    "Sign": _sign,
}
