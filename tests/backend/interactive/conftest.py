"""An assistant over images in a folder, and what Label Studio's page sends to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from backend.errors import MediaError
from backend.interactive.assistant import Assistant
from backend.serving.inputs import InputReader
from backend.settings import Settings

WIDTH, HEIGHT = 160, 120
BALL = (60, 30, 110, 80)
"""The box around a red disc on grey."""


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """A red disc on grey; everything scales with `size`."""
    image = Image.new("RGB", size, (120, 120, 120))
    scale = size[0] / WIDTH
    ImageDraw.Draw(image).ellipse([value * scale for value in BALL], fill=(220, 20, 20))
    image.save(path)
    return path


@dataclass
class Files:
    """Media in a folder by name. `fetched` are the names that were asked for."""

    folder: Path
    fetched: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def fetch(self, url: str, *, task_id: int | None = None) -> Path:
        self.fetched.append(url)
        path = self.folder / url
        if not path.exists():
            raise MediaError(f'"{url}" is not there.')
        return path

    def fetch_text(self, url: str, *, task_id: int | None = None) -> str:
        return self.fetch(url, task_id=task_id).read_text()

    def forget(self, url: str, *, task_id: int | None = None) -> None:
        self.forgotten.append(url)


@dataclass
class Helped:
    """An assistant with the files that it reads."""

    assistant: Assistant
    files: Files

    def ask(
        self, xml: str, drawn: Sequence[dict[str, Any]], task: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """What the page gets for a context of these regions."""
        body = {"id": 7, "data": {"image": "ball.png", "text": "Ada met Bob in Paris. Later Ada left Paris."}}
        return self.assistant.answer("1.1795149789", xml, {**body, **(task or {})}, {"result": list(drawn)})


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Helped]]:
    """Makes assistants with settings of their own; all are closed at the end."""
    made: list[Helped] = []

    def assistant(earlier: Sequence[str] = (), **settings: Any) -> Helped:
        files = Files(tmp_path)
        picture(tmp_path / "ball.png")
        one = Assistant(InputReader(files), Settings(data_dir=tmp_path, **settings), lambda uid, control: list(earlier))
        made.append(Helped(one, files))
        return made[-1]

    yield assistant
    for helped in made:
        helped.assistant.close()


@pytest.fixture
def helped(make: Callable[..., Helped]) -> Helped:
    """Without weights: GrabCut alone."""
    return make()


def region(kind: str, name: str, value: dict[str, Any], number: int = 1, **more: Any) -> dict[str, Any]:
    """A region as the page serialises it."""
    return {
        "id": f"drawn{number:05d}",
        "from_name": name,
        "to_name": "text" if kind == "labels" else "image",
        "type": kind,
        "origin": "manual",
        "value": value,
        **({} if kind == "labels" else {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}),
        **more,
    }


def dot(x: float, y: float, number: int = 1, label: str = "Person", **more: Any) -> dict[str, Any]:
    """A click on a pixel."""
    value = {"x": x / WIDTH * 100, "y": y / HEIGHT * 100, "width": 0.5, "keypointlabels": [label]}
    return region("keypointlabels", "click", value, number, **{"is_positive": True, **more})


def box(corners: Sequence[float], number: int = 1, label: str = "Car", **more: Any) -> dict[str, Any]:
    """A drawn box, in pixels."""
    left, top, right, bottom = corners
    value = {
        "x": left / WIDTH * 100,
        "y": top / HEIGHT * 100,
        "width": (right - left) / WIDTH * 100,
        "height": (bottom - top) / HEIGHT * 100,
        "rotation": 0,
        "rectanglelabels": [label],
    }
    return region("rectanglelabels", "box", value, number, **more)


def span(start: int, end: int, number: int = 1, label: str = "Place") -> dict[str, Any]:
    """A marked span."""
    return region("labels", "entity", {"start": start, "end": end, "labels": [label]}, number)
