"""What Label Studio's page sends for a click, a box or a span, sent to a running `prelabel up`."""

from __future__ import annotations

import base64
import io
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backend.interactive.ready import READY
from model_zoo.interactive.prompts import Mask
from model_zoo.types import Box
from tests.benchmarks.backend import Backend
from tests.benchmarks.clicking import Click
from tests.benchmarks.serving import served_folder

UID = "1.1795149789"
Region = dict[str, Any]


@dataclass
class Asker:
    """Images are below `address`, which stands for `root`; with another `suffix` nothing is known of them from before.
    `last` is how many milliseconds the last answer took, from
    sending the request to having read it."""

    backend: Backend
    root: Path
    address: str
    suffix: str = ""
    last: float = field(default=0.0)

    def ask(self, xml: str, data: dict[str, str], drawn: Sequence[Region], task: int = 1) -> list[Region]:
        """The regions that the page would show."""
        given = {
            key: f"{self.address}/{Path(value).relative_to(self.root)}{self.suffix}" if key == "image" else value
            for key, value in data.items()
        }
        tasks = [{"id": task, "data": given, "drafts": []}]
        params = {"login": None, "password": None, "context": {"result": list(drawn)}}
        body = {"tasks": tasks, "project": UID, "label_config": xml, "params": params}
        begun = time.perf_counter()
        answer = self.backend.post("/predict", body)
        self.last = 1000 * (time.perf_counter() - begun)
        regions: list[Region] = answer["results"][0]["result"]
        return regions


@contextmanager
def asking(weights: Path | None, root: Path, **settings: str) -> Iterator[Asker]:
    """A server with the engines that this folder has weights for; None: the floor alone."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prelabel-interactive-")))
        address = stack.enter_context(served_folder(root))
        given = {"PRELABEL_ALLOWED_HOSTS": "127.0.0.1", **settings}
        if weights is not None:
            given["PRELABEL_WEIGHTS_DIR"] = str(weights)
        # As many threads as the operator's machine gives, which the environment of this process may bound.
        given |= {name: value for name, value in os.environ.items() if name.startswith("OMP_")}
        backend = stack.enter_context(Backend(folder / "data", given))
        yield Asker(backend, root, address)


def config(name: str, called: str) -> str:
    """The ready config, its first label called as the object is."""
    xml = READY[name].xml
    for first, second in (("Person", "Car"), ("Car", "Sign")):
        if f'value="{second}"' in xml and f'value="{first}"' in xml:
            return xml.replace(f'value="{first}"', f'value="{called}"').replace(f'value="{second}"', 'value="rest"')
    return xml


def dots(clicks: Sequence[Click], called: str, size: tuple[int, int], name: str) -> list[Region]:
    """What the page sends for clicks, whose ids begin with `name`, on an image of that width and height."""
    return [
        {
            "id": f"{name}{number:02d}",
            "from_name": "click",
            "to_name": "image",
            "type": "keypointlabels",
            "is_positive": positive,
            "original_width": size[0],
            "original_height": size[1],
            "value": {"x": x / size[0] * 100, "y": y / size[1] * 100, "width": 0.5, "keypointlabels": [called]},
        }
        for number, ((x, y), positive) in enumerate(clicks)
    ]


def drawn(box: Box, called: str, size: tuple[int, int]) -> Region:
    """What the page sends for a drawn box."""
    value = {
        "x": box.left / size[0] * 100,
        "y": box.top / size[1] * 100,
        "width": (box.right - box.left) / size[0] * 100,
        "height": (box.bottom - box.top) / size[1] * 100,
        "rotation": 0,
        "rectanglelabels": [called],
    }
    return {
        "id": "box0000001", "from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value,
        "original_width": size[0], "original_height": size[1],
    }  # fmt: skip


def marked(text: str, place: tuple[int, int], number: int) -> Region:
    """What the page sends for a marked span."""
    start, end = place
    value = {"start": start, "end": end, "text": text[start:end], "labels": ["Place"]}
    return {"id": f"span{number:06d}", "from_name": "entity", "to_name": "text", "type": "labels", "value": value}


def bitmap(region: Region) -> Mask:
    """The pixels of a region of `BitmaskLabels`."""
    content = base64.b64decode(region["value"]["imageDataURL"].partition(",")[2])
    with Image.open(io.BytesIO(content)) as opened:
        return np.asarray(opened.convert("RGBA"))[..., 3] > 127
