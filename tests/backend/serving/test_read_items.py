from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.errors import MediaError, TaskUnusable
from backend.labelstudio.authorization import Authorization
from backend.labelstudio.config import Control, parse_config
from backend.labelstudio.media import MediaFetcher
from backend.serving.inputs import DECODED_AHEAD, InputReader
from backend.settings import Settings
from model_zoo.errors import UnreadableInput
from model_zoo.images import read_image
from model_zoo.types import Item

IMAGES = '<View><Image name="i" value="$i"/><Choices name="c" toName="i"><Choice value="a"/></Choices></View>'
TEXTS = '<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>'


def control_of(config: str) -> Control:
    return parse_config(config).controls[0]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[InputReader]:
    settings = Settings(data_dir=tmp_path / "data", allowed_hosts=("127.0.0.1",))
    reader = InputReader(MediaFetcher.from_settings(settings, lambda: None, Authorization(lambda: None)))
    yield reader
    reader.close()


@pytest.fixture
def images(tmp_path: Path) -> Iterator[str]:
    """The address of a folder with 0.png to 39.png, whose width tells them apart, and a truncated one."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(40):
        Image.new("RGB", (10 + number, 5)).save(folder / f"{number}.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "whole.png")
    (folder / "cut.png").write_bytes((folder / "whole.png").read_bytes()[:3000])

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_images_are_decoded_in_other_threads_and_come_in_order(reader: InputReader, images: str) -> None:
    threads = set()

    def prepare(item: Item) -> Item:
        threads.add(threading.current_thread().name)
        return replace(item, input=read_image(item.input))

    tasks = [{"id": number, "data": {"i": f"{images}/{number}.png"}} for number in range(DECODED_AHEAD + 8)]
    read = list(reader.read_items(control_of(IMAGES), tasks, prepare))
    widths = [item.input.shape[1] for item in read if isinstance(item, Item) and isinstance(item.input, np.ndarray)]
    assert widths == [10 + number for number in range(DECODED_AHEAD + 8)]
    assert threads
    assert all(name.startswith("prelabel-media") for name in threads)


def test_what_cannot_be_decoded_costs_one_task(reader: InputReader, images: str) -> None:
    tasks = [{"id": 1, "data": {"i": f"{images}/{name}.png"}} for name in ("1", "cut", "2")]
    first, broken, last = reader.read_items(
        control_of(IMAGES), tasks, lambda item: replace(item, input=read_image(item.input))
    )
    assert isinstance(first, Item)
    assert isinstance(last, Item)
    assert isinstance(broken, MediaError)
    assert f'"{images}/cut.png" cannot be used' in str(broken)


def test_whatever_prepare_raises_costs_one_task(reader: InputReader) -> None:
    def prepare(item: Item) -> Item:
        if item.input == "odd":
            raise UnreadableInput("an odd text")
        if item.input == "worse":
            raise ZeroDivisionError
        return item

    tasks = [{"id": 1, "data": {"t": text}} for text in ("fine", "odd", "worse")] + ["no task"]
    fine, odd, worse, none = reader.read_items(control_of(TEXTS), tasks, prepare)
    assert isinstance(fine, Item)
    assert fine.input == "fine"
    assert isinstance(odd, TaskUnusable)
    assert str(odd) == "an odd text"
    assert isinstance(worse, TaskUnusable)
    assert "ZeroDivisionError" in str(worse)
    assert isinstance(none, TaskUnusable)
