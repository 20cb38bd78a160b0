"""Choices about single regions, from a detector's boxes to regions of the same ids in one prediction."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.converters import CONVERTERS
from backend.labelstudio.config import parse_config
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
from backend.projects.roles import RolePolicy
from backend.serving.inputs import InputReader
from backend.serving.pool import LoadedControl, LoadedVersion
from backend.serving.predict import Predictor
from backend.serving.warmup import exercise
from model_zoo.base import Model
from model_zoo.postprocess import DetectionPostprocess, EntityPostprocess, RegionPostprocess
from model_zoo.recipes import Recipe
from model_zoo.registry import default_family, family
from model_zoo.targets import all_of
from model_zoo.types import Box, DetectionOutput, EntityOutput, FloatArray, Item, LabelSpace, Output, Span, TaskKind
from tests.model_zoo.region_classification import moods
from tests.model_zoo.region_classification.stickers import LABELS, example, examples

SPACE = LabelSpace(LABELS)
STICKERS = LabelSpace(("sticker",))
CONFIG = parse_config(
    '<View><Choices name="print" toName="image" perRegion="true" whenTagName="boxes">'
    + "".join(f'<Choice value="{name}"/>' for name in LABELS)
    + '</Choices><Image name="image" value="$image"/>'
    '<RectangleLabels name="boxes" toName="image"><Label value="sticker"/></RectangleLabels></View>'
)


class Finds(Model):
    """Always the same boxes, in pixels."""

    labels = STICKERS

    def __init__(self, boxes: FloatArray, size: tuple[int, int]) -> None:
        self._boxes = boxes
        self._size = size

    def predict(self, items: Sequence[Item]) -> list[Output]:
        sure = np.linspace(0.9, 0.8, len(self._boxes), dtype=np.float32)[:, None]
        return [DetectionOutput(self._boxes, sure, *self._size) for _ in items]

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    @property
    def nbytes(self) -> int:
        return 0


@pytest.fixture
def inputs(tmp_path: Path) -> Iterator[InputReader]:
    reader = InputReader(MediaFetcher(MediaCache(tmp_path, 10**6), MediaLimits()))
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def says() -> LoadedControl:
    chosen = family(default_family(TaskKind.REGION_CLASSIFICATION))
    trained = chosen.train(examples(), SPACE, Recipe())
    return LoadedControl("says", chosen, trained.model, RegionPostprocess.uncalibrated(SPACE))


def boxes_of(size: tuple[int, int], *places: tuple[float, ...]) -> LoadedControl:
    """A detector that finds boxes at these places in percent."""
    table = (np.array(places, np.float32).reshape(-1, 4) / 100 * np.array([*size, *size])).astype(np.float32)
    kind = family(default_family(TaskKind.OBJECT_DETECTION))
    return LoadedControl("boxes", kind, Finds(table, size), DetectionPostprocess.uncalibrated(STICKERS))


def test_each_box_that_is_found_has_its_choice(inputs: InputReader, says: LoadedControl) -> None:
    picture = example(77, ("striped", "plain", "striped"))
    assert isinstance(picture.item.input, np.ndarray)
    buffer = io.BytesIO()
    Image.fromarray(picture.item.input).save(buffer, "PNG")
    task = {"id": 7, "data": {"image": f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"}}
    size = (picture.item.input.shape[1], picture.item.input.shape[0])
    found = boxes_of(size, *(box.corners for box in all_of(Box, tuple(one.place for one in picture.remarks))))
    version = LoadedVersion("v4", {"boxes": found, "print": says})
    predictor = Predictor(inputs, RolePolicy())
    (prediction,) = predictor.predict(CONFIG, version, [task], time.monotonic() + 60)
    assert prediction.problems == ()
    shapes = [region for region in prediction.result if region["from_name"] == "boxes"]
    chosen = [region for region in prediction.result if region["from_name"] == "print"]
    assert [region["id"] for region in chosen] == [region["id"] for region in shapes]
    assert [region["value"]["choices"] for region in chosen] == [list(remark.labels) for remark in picture.remarks]
    assert CONFIG.validate(prediction.as_dict()) == []
    control = CONFIG.control("print")
    assert control is not None
    answered = CONVERTERS["Choices"].decode(control, prediction.result)
    assert isinstance(answered, tuple)
    assert len(answered) == 3

    nothing = LoadedVersion("v4", {"boxes": boxes_of(size), "print": says})
    (empty,) = predictor.predict(CONFIG, nothing, [task], time.monotonic() + 60)
    assert (empty.result, empty.problems) == ([], ())
    alone = LoadedVersion("v4", {"print": says})
    (lonely,) = predictor.predict(CONFIG, alone, [task], time.monotonic() + 60)
    assert (lonely.result, lonely.problems) == ([], ())
    exercise(alone)


MOODS = (
    '<View>{}<Choices name="is" toName="text" perRegion="true"><Choice value="glad"/><Choice value="angry"/></Choices>'
    "</View>"
)
MARKED = {
    "Text": '<Text name="text" value="$text"/><Labels name="who" toName="text"><Label value="person"/></Labels>',
    "HyperText": '<HyperText name="text" value="$html"/><HyperTextLabels name="who" toName="text">'
    '<Label value="person"/></HyperTextLabels>',
    "Paragraphs": '<Paragraphs name="text" value="$turns" textKey="said"/><ParagraphLabels name="who" toName="text">'
    '<Label value="person"/></ParagraphLabels>',
}


class Reads(Finds):
    """Always the same spans."""

    labels = LabelSpace(("person",))

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = np.array([(span.start, span.end) for span in spans], np.int64)

    def predict(self, items: Sequence[Item]) -> list[Output]:
        sure = np.full((len(self._spans), 1), 0.9, np.float32)
        return [EntityOutput(str(item.input), self._spans, sure) for item in items]


@pytest.fixture(scope="module")
def mood() -> LoadedControl:
    space = LabelSpace(moods.LABELS)
    chosen = family(default_family(TaskKind.SPAN_CLASSIFICATION))
    trained = chosen.train(moods.examples(), space, Recipe())
    return LoadedControl("is", chosen, trained.model, RegionPostprocess.uncalibrated(space))


@pytest.mark.parametrize("shown", MARKED)
def test_each_span_that_is_found_has_its_choice(inputs: InputReader, mood: LoadedControl, shown: str) -> None:
    config, text = parse_config(MOODS.format(MARKED[shown])), moods.example(50, ("angry", "glad", "angry"))
    whole = str(text.item.input)
    turns = [{"said": f"{sentence}."} for sentence in whole.removesuffix(". ").split(". ")]
    spans = all_of(Span, tuple(remark.place for remark in text.remarks))
    entities = family(default_family(TaskKind.NAMED_ENTITIES))
    who = LoadedControl("who", entities, Reads(spans), EntityPostprocess.uncalibrated(Reads.labels))
    version = LoadedVersion("v4", {"who": who, "is": mood})
    task = {"id": 7, "data": {"text": whole, "html": f"<div>{whole}</div>", "turns": turns}}
    (prediction,) = Predictor(inputs, RolePolicy()).predict(config, version, [task], time.monotonic() + 60)
    assert prediction.problems == ()
    assert config.validate(prediction.as_dict()) == []
    marked, said = ([one for one in prediction.result if one["from_name"] == name] for name in ("who", "is"))
    assert [one["id"] for one in said] == [one["id"] for one in marked]
    for one, other in zip(said, marked, strict=True):
        place = {name: part for name, part in other["value"].items() if name != other["type"]}
        assert {**one["value"], **place} == one["value"]
    control = config.control("is")
    assert control is not None
    item = inputs.read(control, task)
    decoded = CONVERTERS["Choices"].decode(control, prediction.result)
    assert decoded is not None
    assert CONVERTERS["Choices"].target(decoded, Item(item)) == text.remarks
    exercise(LoadedVersion("v4", {"is": mood}))
