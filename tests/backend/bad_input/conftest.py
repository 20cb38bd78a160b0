"""The real server application with a taught text project and a taught image project; one for each module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from backend.embedded_redis import EmbeddedRedis
from backend.jobs.connection import open_redis
from backend.store.objects import ObjectStore
from tests.backend.bad_input.serving import IMAGE_CONFIG, IMAGES, TEXT_CONFIG, TEXTS, Backend, serving, teach
from tests.backend.labelstudio.media.conftest import Web

LEARNT = (
    ("My invoice is wrong", "billing"),
    ("I was charged twice", "billing"),
    ("When is the bill due?", "billing"),
    ("Please refund my payment", "billing"),
    ("The train was late", "travel"),
    ("Which platform for Paris?", "travel"),
    ("I missed my flight", "travel"),
    ("Is there a bus to the airport?", "travel"),
)


@pytest.fixture(scope="session")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with v1 of both projects."""
    folder = tmp_path_factory.mktemp("taught")
    store = ObjectStore(folder)
    teach(store, TEXTS, TEXT_CONFIG, LEARNT)
    colours = [(shade, name) for shade in (120, 160, 200, 240) for name in ("red", "blue")]
    teach(store, IMAGES, IMAGE_CONFIG, [(_plain(shade, name), name) for shade, name in colours])
    return folder


def _plain(shade: int, name: str) -> npt.NDArray[np.uint8]:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[..., 0 if name == "red" else 2] = shade
    return pixels


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, taught: Path, redis_server: EmbeddedRedis) -> Iterator[Backend]:
    with open_redis(redis_server.url) as connection:
        connection.flushall()
    with serving(tmp_path_factory.mktemp("backend"), taught, redis_server.url) as made:
        made.works()
        yield made


@pytest.fixture
def after(backend: Backend) -> Iterator[None]:
    """After the test, what is good still works."""
    yield
    backend.works()


@pytest.fixture
def web() -> Iterator[Web]:
    """A web server on 127.0.0.1, whose media may be fetched."""
    server = Web()
    yield server
    server.close()


@pytest.fixture
def private() -> Iterator[Web]:
    """A web server on 127.0.0.2, an address that nobody has allowed."""
    server = Web("127.0.0.2")
    yield server
    server.close()
