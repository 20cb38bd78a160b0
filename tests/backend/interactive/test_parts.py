"""Ids, spans, captions and caches, by themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.errors import InvalidRequest
from backend.interactive.asks import Mode, mode_of
from backend.interactive.captions import MOST_TEXTS, Recent, complete, reply
from backend.interactive.earlier import EarlierTexts
from backend.interactive.ids import group_of, key_of, new_ids, spared
from backend.interactive.images import ImageCache
from backend.interactive.ready import READY, ready
from backend.interactive.spans import propose
from backend.labelstudio.config import LabellingConfig, every_control
from backend.store.objects import ObjectStore
from backend.store.records import Annotation, Record
from backend.store.snapshots import Snapshots
from model_zoo.interactive.prompts import Pixels

TEXT = "Ada met Bob in Paris. Later Ada left PARIS; Pariss and the Parisian. Adam stays."
SMALL = np.zeros((10, 10, 3), np.uint8)


def marked(text: str, words: str, **more: object) -> list[tuple[str, float]]:
    start = text.index(words)
    found = propose(text, (start, start + len(words)), [], **more)  # type: ignore[arg-type]
    return [(text[one.start : one.end], round(one.score, 2)) for one in found]


def test_ids_are_the_same_for_the_same_request_and_say_their_answer() -> None:
    first, again, other = (list(islice(new_ids(key, ()), 3)) for key in ("a", "a", "b"))
    assert first == again
    assert not set(first) & set(other)
    assert len({group_of(one) for one in first}) == 1
    assert {len(one) for one in first} == {10}
    assert group_of("Xk2_p-Q9ab") is None
    moved = list(islice(new_ids("a", first[:1]), 3))
    assert not set(moved) & set(first)
    assert len(list(new_ids("a", ()))) == 256


def test_regions_of_one_answer_and_what_it_answers_are_one_action() -> None:
    (control,) = every_control(READY["tight-boxes"].xml)
    drawn = "drawnbyhnd"
    first, other = (list(islice(new_ids(key, ()), 3)) for key in (key_of(7, "box", drawn), "b"))
    result = [{"id": one, "from_name": "box"} for one in (*first, *other, drawn)]
    assert spared(control, result, 7) == 5
    assert spared(control, result, 8) == 4  # of another task's box
    assert spared(control, [{"id": one, "from_name": "other"} for one in first], 7) == 0
    assert spared(control, [{"from_name": "box"}], 7) == 0
    again = list(islice(new_ids(key_of(7, "box", drawn), first), 2))
    assert spared(control, [{"id": one, "from_name": "box"} for one in (*again, drawn)], 7) == 2


def test_spans_are_found_by_letters_and_never_within_words() -> None:
    assert marked(TEXT, "Ada") == [("Ada", 1.0)]
    assert marked(TEXT, "Paris") == [("PARIS", 0.95), ("Pariss", 0.8)]
    assert marked(TEXT, "Paris", least=0.99) == []
    assert marked("New  York, New York, new york", "New York") == [("New  York", 1.0)]
    assert marked("a.b (x) a.b", "a.b") == [("a.b", 1.0)]
    assert marked("😀 Bob and Bob", "Bob") == [("Bob", 1.0)]
    assert marked("x  y", "  ") == []


def test_words_end_where_nodes_of_a_page_do_and_spans_where_turns_do() -> None:
    text = "ParisRome ParisAda Pariss"
    assert marked(text, "Rome") == []
    start, breaks = text.index("Rome"), (5, 9, 15)
    found = propose(text, (0, 5), [], breaks=breaks)
    assert [(text[one.start : one.end], one.start) for one in found] == [("Paris", 10), ("Pariss", 19)]
    assert propose(text, (start, start + 4), [], breaks=breaks) == []
    assert marked("New York. New\x1eYork. New\nYork.", "New York") == [("New\nYork", 1.0)]


def test_spans_alike_in_meaning_come_with_what_the_encoder_says() -> None:
    text = "Ada went to Paris. Then Bob flew to London. Charles ate."
    meanings = {
        "Paris": (1, 0),
        "London": (0.9, 0.436),
        "Ada": (0, 1),
        "Bob": (0, 1),
        "Then Bob": (0, 1),
        "Charles": (0, 1),
    }

    def encode(texts: object) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        assert isinstance(texts, list)
        return np.array([meanings.get(one, (0, 1)) for one in texts], np.float32)

    found = marked(text, "Paris", encode=encode)
    assert [words for words, _ in found] == ["London"]
    assert 0.7 <= found[0][1] < 0.95
    assert marked(text, "Paris", encode=encode, deadline=0.0) == []


def test_spans_of_a_long_document_are_found_within_its_time() -> None:
    random = np.random.default_rng(1)
    words = ["".join(random.choice(list("abcdefghij"), size)) for size in random.integers(2, 9, 1900)]
    text = " ".join(word.title() if at % 5 == 0 else word for at, word in enumerate(words))[:10_000]
    begun = time.perf_counter()
    propose(text, (0, text.index(" ")), [])
    assert time.perf_counter() - begun < 0.5  # ten times what it takes, for busy machines


def test_captions_are_completed_as_most_did_and_what_was_written_stays() -> None:
    earlier = ["A man riding a horse.", "A man riding a wave.", "A man riding a horse."]
    assert complete("a  man rid", earlier) == (
        "a  maning a horse.".replace("maning", "man riding"),
        pytest.approx(2 / 3),
    )
    assert complete("Here is a man riding a", earlier) == ("Here is a man riding a horse.", pytest.approx(2 / 3))
    assert complete("A man riding a horse.", earlier) is None
    assert complete("No", earlier) is None
    assert complete("A cat", earlier) is None


def test_another_caption_is_the_model_s_or_the_nearest_and_what_was_written_stays() -> None:
    earlier = ["A dog on a beach.", "A dog on a beach.", "A dog on the beach.", "Two cats."]
    said = [("A dog runs.", 0.7)]

    def told(*texts: str, own: Sequence[tuple[str, float]] = (), room: bool = True) -> list[str] | None:
        found = reply(texts, earlier, lambda: own, room=room)
        return found[0] if found is not None else None

    assert told("One dog on a beach.") == ["One dog on a beach.", "A dog on a beach."]
    assert told("One dog on a beach.", room=False) is None
    assert told("One dog on a beach.", own=said) == ["One dog on a beach.", "A dog runs."]
    assert told("Nothing of the kind.") is None
    assert told("a  DOG runs.", own=said) is None
    assert told("A dog runs.", "It runs.", own=said) is None  # it stands there already
    assert told("A dog on") == ["A dog on a beach."]
    assert told("A dog", own=said) == ["A dog runs."]
    assert told("?", own=said) == ["A dog runs."]
    assert told("Two cats.", "...", own=said) == ["Two cats.", "A dog runs."]
    assert told("?") is None


def test_recent_texts_are_bounded_and_apart_by_project() -> None:
    recent = Recent()
    for number in range(MOST_TEXTS + 5):
        recent.add("1", f"text {number}")
    recent.add("2", "other")
    assert len(recent.of("1")) == MOST_TEXTS
    assert recent.of("1")[-1] == f"text {MOST_TEXTS + 4}"
    assert recent.of("2") == ["other"]
    assert recent.of("3") == []


def test_earlier_texts_are_those_of_the_newest_snapshot(tmp_path: Path) -> None:
    snapshots = Snapshots(ObjectStore(tmp_path))
    earlier = EarlierTexts(snapshots)
    assert earlier("1.1", "caption") == ()
    for number in (1, 2):
        result = ({"from_name": "caption", "value": {"text": [f"A dog {number}."]}}, {"from_name": "other"})
        head = snapshots.head("1.1")
        record = Record(number, {}, (Annotation(number, result),))
        snapshots.set_head("1.1", snapshots.write("1.1", head, [record]))
        assert earlier("1.1", "caption") == [f"A dog {one}." for one in range(1, number + 1)]
    assert earlier("", "caption") == ()


def test_images_are_kept_within_the_budget_and_computed_once() -> None:
    computed = []

    def compute(pixels: object) -> int:
        computed.append(1)
        return 100

    cache = ImageCache(2 * SMALL.nbytes + 150)
    pixels = cache.pixels("a", SMALL.copy)
    assert cache.pixels("a", SMALL.copy) is pixels
    futures = [cache.features("a", "engine", compute, lambda value: value, pixels) for _ in range(3)]
    assert [future.result() for future in futures] == [100] * 3
    assert len(computed) == 1
    for name in "bc":
        cache.pixels(name, SMALL.copy)
    assert cache.nbytes <= 2 * SMALL.nbytes + 150
    assert cache.pixels("a", SMALL.copy) is not pixels
    cache.forget("a")
    cache.close()


def test_two_who_read_an_image_at_once_share_what_is_computed_of_it() -> None:
    cache = ImageCache(10**6)
    kept: list[Pixels] = []

    def slowly() -> Pixels:
        kept.append(cache.pixels("a", SMALL.copy))  # by somebody else, meanwhile
        return SMALL.copy()

    assert cache.pixels("a", slowly) is kept[0]
    cache.close()


def test_features_that_failed_are_computed_again() -> None:
    cache, ready_now = ImageCache(10**6), threading.Event()

    def compute(pixels: object) -> int:
        if not ready_now.is_set():
            raise RuntimeError("not yet")
        return 1

    pixels = cache.pixels("a", SMALL.copy)
    with pytest.raises(RuntimeError):
        cache.features("a", "engine", compute, lambda value: value, pixels).result()
    ready_now.set()
    assert cache.features("a", "engine", compute, lambda value: value, pixels).result() == 1
    cache.close()


@pytest.mark.parametrize("name", list(READY))
def test_every_ready_config_asks_for_something_and_is_taken_by_label_studio(name: str) -> None:
    xml = ready(name).xml
    assert any(mode_of(control, xml) for control in every_control(xml))
    assert LabellingConfig(xml, ()).validate({"result": [], "score": 0.5}) == []


def test_modes_have_a_default_by_tag_and_output() -> None:
    def modes(inner: str) -> dict[str, Mode]:
        xml = f'<View><Image name="image" value="$image"/>{inner}</View>'
        return {control.name: found[0] for control in every_control(xml) if (found := mode_of(control, xml))}

    label = '<Label value="A"/>'
    rectangle = f'<RectangleLabels name="box" toName="image">{label}</RectangleLabels>'
    assert modes(rectangle) == {"box": Mode.SIMILAR}
    brush = f'<BrushLabels name="mask" toName="image" smart="false">{label}</BrushLabels>'
    assert modes(rectangle + brush) == {"box": Mode.MASK}
    points = f'<KeyPointLabels name="dot" toName="image">{label}</KeyPointLabels>'
    assert modes(rectangle + points) == {"box": Mode.POINTS}
    assert modes(points + brush) == {"dot": Mode.MASK}
    assert modes(points) == {}


def test_the_command_shows_a_config_and_names_the_others() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["config", "masks"]).output.strip() == READY["masks"].xml
    listed = runner.invoke(app, ["config"]).output
    assert all(name in listed for name in READY)
    with pytest.raises(InvalidRequest, match="masks, bitmasks"):
        ready("nonsense")
    assert runner.invoke(app, ["config", "nonsense"]).exit_code == 1
