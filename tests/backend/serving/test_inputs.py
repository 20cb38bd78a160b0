"""Media are fetched ahead of whoever consumes them, no further than allowed, and never for nobody."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from PIL import Image

from backend.errors import MediaError, PrelabelError, TaskUnusable
from backend.labelstudio.config import Control, parse_config
from backend.labelstudio.connection import Connection
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
from backend.serving import inputs as inputs_module
from backend.serving.inputs import InputReader, content_key, data_of
from tests.backend.labelstudio.media.conftest import Web, content


def control(tag: str = "Image", attributes: str = "") -> Control:
    (found,) = parse_config(
        f'<View><{tag} name="object" value="$data" {attributes}/>'
        '<Choices name="topic" toName="object"><Choice value="A"/><Choice value="B"/></Choices></View>'
    ).controls
    return found


IMAGE, TEXT = control(), control("Text")
READ_FROM_URL = control("Text", 'valueType="url"')


def task(value: object, number: int = 1) -> dict[str, object]:
    return {"id": number, "data": {"data": value}}


def png(width: int = 4, height: int = 4) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height)).save(written, "PNG")
    return written.getvalue()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


def reader_of(folder: Path, fetcher: MediaFetcher | None = None, max_pixels: int = 1000) -> InputReader:
    limits = MediaLimits(max_bytes=10**6, timeout=5, allowed_hosts=frozenset({"127.0.0.1"}))
    return InputReader(fetcher or MediaFetcher(MediaCache(folder, 10**7), limits), 2, max_pixels)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[InputReader]:
    """Two threads, at most 1000 pixels."""
    made = reader_of(tmp_path)
    yield made
    made.close()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within 10 s"
        time.sleep(0.01)


def test_texts_are_taken_as_they_are_even_if_they_look_like_addresses(reader: InputReader, web: Web) -> None:
    values = ["plain", "/etc/passwd", "file:///etc/passwd", f"{web.url}/page", "data:text/plain,hello"]
    assert list(reader.read_many(TEXT, [task(value) for value in values])) == values
    assert web.seen == []


def test_media_come_in_order_with_the_reason_where_there_is_none(reader: InputReader, web: Web) -> None:
    web.pages["/good"] = content(png())
    web.pages["/text.jpg"] = content(b"just some text")
    web.pages["/huge"] = content(png(100, 100))
    values = [f"{web.url}/good", f"{web.url}/gone", f"{web.url}/text.jpg", f"{web.url}/huge", None, f"{web.url}/good"]
    found = list(reader.read_many(IMAGE, [task(value) for value in values]))
    assert [isinstance(value, Path) for value in found] == [True, False, False, False, False, True]
    said = [str(value) for value in found if isinstance(value, PrelabelError)]
    assert "answered with status 404" in said[0]
    assert "no image of a known format" in said[1]
    assert "100 x 100 pixels, wanted at most 1000" in said[2]
    assert "got null" in said[3]
    assert [type(value) for value in found[1:5]] == [MediaError, MediaError, MediaError, TaskUnusable]


def test_a_file_that_was_mended_is_not_taken_from_the_cache(reader: InputReader, web: Web) -> None:
    url = f"{web.url}/photo.jpg"
    web.pages["/photo.jpg"] = content(b"just some text")
    with pytest.raises(MediaError, match="no image"):
        reader.read(IMAGE, task(url))
    web.pages["/photo.jpg"] = content(png())
    assert isinstance(reader.read(IMAGE, task(url)), Path)


def test_a_text_behind_an_address_is_fetched(reader: InputReader, web: Web) -> None:
    web.pages["/letter"] = content("Grüße".encode())
    assert reader.read(READ_FROM_URL, task(f"{web.url}/letter")) == "Grüße"


def test_pages_and_dialogues_are_read_once_they_are_fetched(reader: InputReader, web: Web) -> None:
    web.pages["/page"] = content(b"<p>Hello</p><script>no</script>", Content_Type="text/html")
    web.pages["/talk"] = content(b'[{"author": "Ann", "text": "Hello?"}]', Content_Type="application/json")
    for tag, name, text in (("HyperText", "page", "Hello"), ("Paragraphs", "talk", "Ann: Hello?")):
        assert reader.read(control(tag, 'valueType="url"'), task(f"{web.url}/{name}")) == text


def test_only_so_many_are_fetched_ahead(reader: InputReader, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_module, "AHEAD", 3)
    for number in range(10):
        web.pages[f"/{number}"] = content(png())
    tasks = [task(f"{web.url}/{number}") for number in range(10)]
    inputs = reader.read_many(IMAGE, tasks)
    next(inputs)  # the first, and so its place is taken by the fourth once the second is asked for
    until(lambda: len(web.seen) >= 3, "prefetching")
    assert len(web.seen) == 3
    next(inputs)
    until(lambda: len(web.seen) >= 4, "prefetching")
    inputs.close()


@pytest.fixture
def gate(web: Web) -> threading.Event:
    """Pages `/0` to `/9` of `web` that answer once it is set."""
    opened = threading.Event()

    def page(handler: BaseHTTPRequestHandler) -> None:
        opened.wait(10)
        content(png())(handler)

    for number in range(10):
        web.pages[f"/{number}"] = page
    return opened


def test_whoever_stops_asking_leaves_no_work_behind(reader: InputReader, web: Web, gate: threading.Event) -> None:
    tasks = [task(f"{web.url}/{number}") for number in range(10)]
    inputs = reader.read_many(IMAGE, tasks, deadline=time.monotonic() + 0.2)
    begun = time.monotonic()
    assert list(inputs) == []
    assert time.monotonic() - begun < 5  # it waits for no medium beyond the deadline
    gate.set()
    web.pages["/after"] = content(png())
    assert isinstance(reader.read(IMAGE, task(f"{web.url}/after")), Path)
    until(lambda: len(web.seen) == 3, "the two fetches that had begun, and the one after")


def test_after_the_deadline_nothing_is_read(reader: InputReader) -> None:
    assert list(reader.read_many(TEXT, [task("a"), task("b")], deadline=time.monotonic() - 1)) == []


def test_what_nobody_expected_costs_one_task(tmp_path: Path) -> None:
    def connection() -> Connection | None:
        raise RuntimeError("out of file descriptors")

    reader = reader_of(tmp_path, MediaFetcher(MediaCache(tmp_path, 10**6), MediaLimits(), connection))
    tasks = [task("http://127.0.0.1/a"), task("data:image/png;base64,####"), task("x")]
    first, second, third = reader.read_many(IMAGE, tasks)
    reader.close()
    assert isinstance(first, TaskUnusable)
    assert "RuntimeError: out of file descriptors" in str(first)
    assert isinstance(second, MediaError)
    assert isinstance(third, TaskUnusable)


@pytest.mark.parametrize(("given", "said"), [(3, "a task that is a int"), ({"data": [1]}, "task data of type list")])
def test_data_of_a_task_that_is_none(given: object, said: str) -> None:
    with pytest.raises(TaskUnusable, match=said):
        data_of(given)


def test_features_are_kept_by_content_and_kind_of_object() -> None:
    assert content_key(TEXT, task("x")) == content_key(TEXT, task("x", number=2))
    assert len({content_key(TEXT, task("x")), content_key(TEXT, task("y")), content_key(IMAGE, task("x"))}) == 3
