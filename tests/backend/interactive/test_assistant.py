"""Behaviour that people rely on: nothing is lost, nothing collides, nothing odd costs more than its own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_studio_sdk.converter.brush import decode_rle

from backend.converters.geometry import in_pixels, read_rectangle
from backend.interactive.ids import group_of
from backend.interactive.ready import READY
from backend.labelstudio.config import LabellingConfig
from model_zoo.boxes import as_array, overlaps
from model_zoo.interactive.grabcut import CONFIDENCE, GrabCut
from model_zoo.interactive.poses import COCO_POINTS, Seen
from model_zoo.interactive.prompts import Masked, Pixels, Prompt
from model_zoo.interactive.sam import Embedding, SegmentAnything
from model_zoo.types import Box
from tests.backend.interactive.conftest import BALL, HEIGHT, WIDTH, Helped, box, dot, picture
from tests.model_zoo.interactive.test_engines import needs_ultralytics, tiny_sam

MASKS = READY["masks"].xml
INSIDE = (85, 55)
Make = Callable[..., Helped]


def painted(region: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The mask of a brush region."""
    flat = np.asarray(decode_rle(region["value"]["rle"]), np.uint8)
    return flat.reshape(region["original_height"], region["original_width"], 4)[..., 3] > 127


def share(mask: np.ndarray[Any, Any]) -> float:
    """Overlap with the disc, at the mask's own scale."""
    height, width = mask.shape
    rows, columns = np.mgrid[0:height, 0:width]
    scale = width / WIDTH
    radius, across, down = (BALL[2] - BALL[0]) / 2, (BALL[0] + BALL[2]) / 2, (BALL[1] + BALL[3]) / 2
    disc = (columns / scale - across) ** 2 + (rows / scale - down) ** 2 <= radius**2
    return float((disc & mask).sum() / (disc | mask).sum())


def corners(region: dict[str, Any]) -> Box:
    found = read_rectangle(region, "")
    assert found is not None
    return in_pixels(found, WIDTH, HEIGHT)


def shared(first: Box, second: tuple[float, ...]) -> float:
    return float(overlaps(as_array([first]), np.array([second], np.float32))[0, 0])


def test_a_click_becomes_a_mask(helped: Helped) -> None:
    (region,) = helped.ask(MASKS, [dot(*INSIDE)])
    assert (region["from_name"], region["to_name"], region["type"]) == ("mask", "image", "brushlabels")
    assert region["value"]["brushlabels"] == ["Person"]
    assert (region["original_width"], region["original_height"]) == (WIDTH, HEIGHT)
    assert share(painted(region)) > 0.9
    assert not LabellingConfig(MASKS, ()).validate({"result": [region], "score": 0.5})


@pytest.mark.parametrize("name", ["bitmasks", "polygons", "box-to-mask"])
def test_answers_are_drawn_with_the_control_that_the_config_has(helped: Helped, name: str) -> None:
    drawn = box(BALL, label="Person") if name == "box-to-mask" else dot(*INSIDE)
    (region,) = helped.ask(READY[name].xml, [drawn])
    assert region["from_name"] == "mask"
    assert not LabellingConfig(READY[name].xml, ()).validate({"result": [region], "score": 0.5})
    if name == "polygons":
        points = np.array(region["value"]["points"]) / 100 * (WIDTH, HEIGHT)
        around = Box(*points.min(axis=0), *points.max(axis=0), "")
        assert shared(around, BALL) > 0.85


def test_a_further_click_gives_a_region_of_the_same_id_and_another_object_another(helped: Helped) -> None:
    (first,) = helped.ask(MASKS, [dot(*INSIDE)])
    (refined,) = helped.ask(MASKS, [dot(*INSIDE), dot(70, 50, 2)])
    (other,) = helped.ask(MASKS, [dot(*INSIDE, number=3)])
    assert first["id"] == refined["id"] != other["id"]
    assert group_of(first["id"]) != group_of(other["id"])


def test_what_a_negative_click_is_on_is_not_in_the_mask(helped: Helped) -> None:
    (region,) = helped.ask(MASKS, [dot(*INSIDE), dot(10, 10, 2, is_positive=False)])
    mask = painted(region)
    assert mask[INSIDE[1], INSIDE[0]]
    assert not mask[10, 10]


def test_ids_of_the_draft_are_never_given_again(helped: Helped) -> None:
    (first,) = helped.ask(MASKS, [dot(*INSIDE)])
    draft = {"drafts": [{"result": [first]}]}
    (second,) = helped.ask(MASKS, [dot(*INSIDE)], draft)
    assert second["id"] != first["id"]


@pytest.mark.parametrize(
    "drawn",
    [
        [],
        [dot(-30, 50)],
        [dot(WIDTH + 5, 50)],
        [dot(*INSIDE, is_positive=False)],
        [dot(*INSIDE, label="Unknown")],
        [dot(*INSIDE) | {"value": {"x": float("nan"), "y": 5, "keypointlabels": ["Person"]}}],
        [{"id": "x"}],
        [{"id": "x", "from_name": "click", "value": None}],
        [
            {
                "id": "x",
                "from_name": "click",
                "type": "keypointlabels",
                "value": {"x": "a", "keypointlabels": ["Person"]},
            }
        ],
        [{"id": "x", "from_name": "gone", "type": "choices", "value": {"choices": ["A"]}}],
    ],
)
def test_what_says_nothing_is_answered_with_nothing(helped: Helped, drawn: list[dict[str, Any]]) -> None:
    assert helped.ask(MASKS, drawn) == []


def test_a_task_without_drafts_and_one_with_an_empty_draft_are_the_same(helped: Helped) -> None:
    answers = [
        helped.ask(MASKS, [dot(*INSIDE)], more)
        for more in ({}, {"drafts": []}, {"drafts": None}, {"drafts": [{"result": []}]})
    ]
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]) == 1


def test_an_image_that_changed_its_size_is_read_anew(helped: Helped, tmp_path: Path) -> None:
    helped.ask(MASKS, [dot(*INSIDE)])
    picture(tmp_path / "ball.png", (2 * WIDTH, 2 * HEIGHT))
    larger = {"original_width": 2 * WIDTH, "original_height": 2 * HEIGHT}
    (region,) = helped.ask(MASKS, [dot(*INSIDE) | larger])
    assert helped.files.forgotten == ["ball.png"]
    assert painted(region).shape == (2 * HEIGHT, 2 * WIDTH)
    assert share(painted(region)) > 0.9


def test_an_image_that_stays_another_is_answered_in_the_size_that_the_page_has(helped: Helped) -> None:
    (region,) = helped.ask(MASKS, [dot(*INSIDE) | {"original_width": 2 * WIDTH, "original_height": 2 * HEIGHT}])
    assert painted(region).shape == (2 * HEIGHT, 2 * WIDTH)
    assert share(painted(region)) > 0.85


def test_an_unreadable_image_is_said_and_not_kept(
    helped: Helped, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ball.png").write_bytes(b"no image")
    assert helped.ask(MASKS, [dot(*INSIDE)]) == []
    assert "is not answered" in caplog.text
    picture(tmp_path / "ball.png")
    assert len(helped.ask(MASKS, [dot(*INSIDE)])) == 1
    assert helped.ask(MASKS, [dot(*INSIDE)], {"data": {"image": "missing.png"}}) == []
    assert helped.ask(MASKS, [dot(*INSIDE)], {"data": {}}) == []


def test_at_the_budget_the_best_so_far_is_sent(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor has answered; an engine that is not done with the image is not waited for, and serves the next."""
    done = threading.Event()

    class Slow(GrabCut):
        name = "slow"

        def features(self, pixels: Pixels) -> None:
            done.wait(5)

        def mask(self, pixels: Pixels, features: None, prompt: Prompt) -> Masked:
            mask = np.zeros(pixels.shape[:2], np.bool_)
            mask[:4, :4] = True
            return Masked(mask, 0.9)

    helped = make(interactive_budget=0.5)
    monkeypatch.setattr("backend.interactive.engines.Engines.maskers", (Slow(), GrabCut()))
    begun = time.monotonic()
    (region,) = helped.ask(MASKS, [dot(*INSIDE)])
    assert time.monotonic() - begun < 1.0
    assert share(painted(region)) > 0.9
    done.set()
    (region,) = helped.ask(MASKS, [dot(*INSIDE)])
    assert region["score"] == pytest.approx(0.9)


def test_an_engine_that_fails_leaves_the_answer_to_the_floor(helped: Helped, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(GrabCut):
        name = "broken"

        def features(self, pixels: Pixels) -> None:
            raise RuntimeError("no memory")

    monkeypatch.setattr("backend.interactive.engines.Engines.maskers", (Broken(), GrabCut()))
    (region,) = helped.ask(MASKS, [dot(*INSIDE)])
    assert share(painted(region)) > 0.9


@needs_ultralytics
def test_a_sam_sees_an_image_once_and_answers_each_click_and_box(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its file in the weights folder on, prepared when the task is opened; its weights are random."""
    tiny_sam(tmp_path / "mobile_sam.pt", "MobileSAM")
    seen: list[Pixels] = []
    features = SegmentAnything.features

    def counted(engine: SegmentAnything, pixels: Pixels) -> Embedding:
        seen.append(pixels)
        return features(engine, pixels)

    monkeypatch.setattr(SegmentAnything, "features", counted)
    helped = make(weights_dir=tmp_path, interactive_budget=60.0)
    helped.assistant.prepare("", MASKS, {"id": 7, "data": {"image": "ball.png"}})
    clicks = [dot(*INSIDE), dot(70, 50, 2), dot(5, 5, 3, is_positive=False)]
    answers = [helped.ask(MASKS, clicks[:count]) for count in (1, 2, 3)]
    answers.append(helped.ask(READY["box-to-mask"].xml, [box(BALL, label="Person")]))
    assert len(seen) == 1
    assert CONFIDENCE not in {region["score"] for (region,) in answers}
    assert len({str(region["value"]["rle"]) for (region,) in answers}) > 1


def test_two_people_on_one_task_do_not_disturb_each_other(helped: Helped) -> None:
    requests = [[dot(*INSIDE)], [dot(15, 15, 2, label="Car")]] * 4
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda drawn: helped.ask(MASKS, drawn), requests))
    assert [answer == answers[number % 2] for number, answer in enumerate(answers)] == [True] * 8
    assert answers[0][0]["value"]["brushlabels"] == ["Person"]
    assert answers[1][0]["value"]["brushlabels"] == ["Car"]
    assert answers[0][0]["id"] != answers[1][0]["id"]


def test_an_answer_needs_nothing_that_is_kept(make: Make) -> None:
    """Another process gets the next click, and a cache has no room."""
    first, second = make(), make(interactive_cache_bytes=1)
    clicks = [dot(*INSIDE), dot(70, 50, 2)]
    first.ask(MASKS, clicks[:1])
    assert first.ask(MASKS, clicks) == second.ask(MASKS, clicks)
    assert first.files.fetched == ["ball.png"]
    second.ask(MASKS, clicks)
    assert second.files.fetched == ["ball.png"] * 2


def test_an_opened_task_has_its_image_read_in_advance(helped: Helped) -> None:
    helped.assistant.prepare("", MASKS, {"id": 7, "data": {"image": "ball.png"}})
    deadline = time.monotonic() + 10
    while not helped.files.fetched:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    helped.assistant.prepare("", MASKS, {"id": 8, "data": {"image": "missing.png"}})
    helped.assistant.prepare("", "<View", {"id": 8})
    helped.assistant.prepare("", MASKS, None)
    assert len(helped.ask(MASKS, [dot(*INSIDE)])) == 1


def test_a_loose_box_snaps_to_its_object_under_its_own_id(helped: Helped) -> None:
    loose = (BALL[0] - 10, BALL[1] - 9, BALL[2] + 12, BALL[3] + 8)
    (region,) = helped.ask(READY["tight-boxes"].xml, [box(loose)])
    assert region["id"] == "drawn00001"
    assert shared(corners(region), BALL) > 0.9 > shared(Box(*loose, ""), BALL)


def test_a_box_on_nothing_stays_as_it_was_drawn(helped: Helped) -> None:
    drawn = box((5, 90, 40, 115))
    for name in ("tight-boxes", "similar-boxes"):
        (region,) = helped.ask(READY[name].xml, [drawn])
        assert region["id"] == drawn["id"]
        assert region["value"] == drawn["value"]


def test_others_like_a_box_are_proposed_and_those_there_are_left_alone(make: Make, tmp_path: Path) -> None:
    from PIL import Image, ImageDraw

    helped = make()
    places = [(10, 10), (70, 20), (120, 70), (30, 80)]
    image = Image.new("RGB", (WIDTH, HEIGHT), (90, 110, 90))
    for left, top in places:
        ImageDraw.Draw(image).ellipse((left, top, left + 24, top + 24), fill=(250, 250, 60), outline=(10, 10, 10))
    image.save(tmp_path / "ball.png")
    around = [(left - 2, top - 2, left + 27, top + 27) for left, top in places]
    draft = {"drafts": [{"result": [box(around[3], 9)]}]}
    answer = helped.ask(READY["similar-boxes"].xml, [box(around[0])], draft)
    assert answer[0]["id"] == "drawn00001"
    found = [corners(region) for region in answer[1:]]
    assert len(found) == 2
    assert sorted(max(shared(one, place) for one in found) > 0.7 for place in around[1:3]) == [True, True]
    assert len({region["id"] for region in answer}) == 3
    assert len({group_of(region["id"]) for region in answer[1:]}) == 1


@pytest.mark.parametrize("name", ["similar-boxes", "tight-boxes", "box-to-mask", "points"])
def test_a_box_beyond_the_image_is_answered_with_nothing(helped: Helped, name: str) -> None:
    label = {"box-to-mask": "Person", "points": "Person"}.get(name, "Car")
    drawn = box((-90, -60, -20, -10), label=label) | ({"from_name": "person"} if name == "points" else {})
    assert helped.ask(READY[name].xml, [drawn]) == []


class OnePerson:
    """Sees a person in the ball, whose nose is seen and whose left hip is not."""

    name = "one person"

    def see(self, pixels: Pixels) -> Seen:
        points = np.zeros((1, len(COCO_POINTS), 3), np.float32)
        points[0, 0], points[0, COCO_POINTS.index("left hip")] = (85, 40, 0.9), (75, 70, 0.3)
        return Seen(np.array([BALL], np.float32), np.array([0.8], np.float32), points)


def test_points_come_with_their_parent_and_say_whether_they_are_seen(
    helped: Helped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.interactive.engines.Engines.poser", OnePerson())
    drawn = box(BALL, label="Person") | {"from_name": "person"}
    parent, *answer = helped.ask(READY["points"].xml, [drawn])
    assert (parent["id"], parent["value"]) == (drawn["id"], drawn["value"])
    assert {region["parentID"] for region in answer} == {drawn["id"]}
    nose, seen, hip, hidden = answer
    assert [nose["value"]["keypointlabels"], hip["value"]["keypointlabels"]] == [["Nose"], ["Left hip"]]
    assert [seen["value"]["choices"], hidden["value"]["choices"]] == [["Visible"], ["Occluded"]]
    assert (nose["id"], hip["id"]) == (seen["id"], hidden["id"])
    assert (nose["value"]["x"] / 100 * WIDTH, nose["value"]["y"] / 100 * HEIGHT) == pytest.approx((85, 40))


def test_a_parent_that_is_gone_gets_no_points(helped: Helped, monkeypatch: pytest.MonkeyPatch) -> None:
    """The box was taken away before it was answered: the context is empty, or holds what is left of it."""
    monkeypatch.setattr("backend.interactive.engines.Engines.poser", OnePerson())
    assert helped.ask(READY["points"].xml, []) == []
    gone = box(BALL, label="Person") | {"from_name": "person", "value": {"rectanglelabels": ["Person"]}}
    assert helped.ask(READY["points"].xml, [gone]) == []


def test_a_config_that_asks_for_what_a_control_cannot_is_said(helped: Helped, caplog: pytest.LogCaptureFixture) -> None:
    xml = READY["tight-boxes"].xml.replace("tighten", "spans")
    assert helped.ask(xml, [box(BALL)]) == []
    assert "wanted mask or points or similar or tighten" in caplog.text
