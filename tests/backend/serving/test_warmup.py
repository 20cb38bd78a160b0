"""What a server loads before somebody asks for it."""

from __future__ import annotations

import threading

import pytest

from backend.labelstudio.config import parse_config
from backend.serving.warmup import WarmUp, exercise
from tests.backend.serving.conftest import UID, Shelf

CONFIG = parse_config(
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text">'
    '<Choice value="billing"/><Choice value="other"/></Choices></View>'
)


class Loads:
    """Notes what is loaded; "3" fails."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.enough = threading.Event()

    def load(self, uid: str) -> None:
        self.asked.append(uid)
        if uid == "end":
            self.enough.set()
        if uid == "3":
            raise RuntimeError("no such project")


def test_each_project_is_loaded_once_in_order_and_a_failure_ends_nothing() -> None:
    loads = Loads()
    warmup = WarmUp(loads.load)
    for uid in ("1", "3", "1", "2", "end"):
        warmup.ask(uid)
    assert loads.asked == []
    warmup.start()
    assert loads.enough.wait(10), f"only {loads.asked} within 10 s"
    warmup.close()
    assert loads.asked == ["1", "3", "2", "end"]


def test_a_new_version_is_loaded_again() -> None:
    loads = Loads()
    warmup = WarmUp(loads.load)
    warmup.start()
    warmup.ask("1")
    warmup.again("1")
    warmup.ask("end")
    assert loads.enough.wait(10), f"only {loads.asked} within 10 s"
    warmup.close()
    assert loads.asked == ["1", "1", "end"]


def test_closing_ends_the_thread_with_work_left() -> None:
    warmup = WarmUp(lambda uid: None)
    warmup.start()
    for number in range(1000):
        warmup.ask(str(number))
    warmup.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prelabel-warmup"]


def test_exercise_loads_the_encoder(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.publish("v1")
    version = shelf.pool().get(UID, CONFIG)
    seen: list[object] = []
    for loaded in version.controls.values():
        monkeypatch.setattr(type(loaded.model), "predict", lambda self, items: seen.extend(items))
    exercise(version)
    assert [item.input for item in seen] == ["a text"]  # type: ignore[attr-defined]
