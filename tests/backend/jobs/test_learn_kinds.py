"""Teaching one control, whatever kind of task it poses: the same few lines for classifications and detections."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backend.converters import CONVERTERS, regions_of
from backend.converters.geometry import WHOLE
from backend.demo.samples import TICKETS_CONFIG, tickets
from backend.demo.streets import HEIGHT, STREETS_CONFIG, WIDTH, streets
from backend.evaluation.headlines import FIGURES, in_words
from backend.jobs.featurise import Featuriser
from backend.jobs.learn import Taught, Teacher
from backend.labelstudio.config import Control, parse_config
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
from backend.serving.families import Families
from backend.serving.inputs import InputReader
from backend.simulation.regions import masks
from backend.store.artifacts import Artifacts
from backend.store.features import FeatureStore
from backend.store.manifest import ControlVersion
from backend.store.objects import ObjectStore
from backend.store.records import Annotation, Record
from model_zoo.base import Watch
from model_zoo.errors import Cancelled
from model_zoo.object_detection.family import ORIENTED, YoloV1
from model_zoo.postprocess import postprocess_of
from model_zoo.types import Item, Span, TaskKind
from tests.model_zoo.named_entities import sentences
from tests.model_zoo.region_classification import moods
from tests.model_zoo.semantic_segmentation import landscapes

UID = "1.1795149789"

needs_ultralytics = pytest.mark.skipif(find_spec("ultralytics") is None, reason="the extra `detection` is missing")


def ticket_records() -> list[Record]:
    control = control_of(TICKETS_CONFIG)
    return [
        record(number, {"text": ticket.text}, [region(control, "choices", {"choices": [ticket.topic]})])
        for number, ticket in enumerate(tickets(12), 1)
    ]


def street_records() -> list[Record]:
    control = control_of(STREETS_CONFIG)
    made = []
    for number, scene in enumerate(streets(4), 1):
        address = f"data:image/jpeg;base64,{base64.b64encode(scene.jpeg).decode()}"
        result = []
        for drawn in scene.objects:
            left, top, right, bottom = drawn.area
            shape = {"x": left / WIDTH, "y": top / HEIGHT, "width": (right - left) / WIDTH}
            percent = {name: value * WHOLE for name, value in {**shape, "height": (bottom - top) / HEIGHT}.items()}
            result.append(region(control, "rectanglelabels", {**percent, "rectanglelabels": [drawn.label]}))
        made.append(record(number, {"image": address}, result))
    return made


def turned_records() -> list[Record]:
    """The same boxes, askew."""
    made = []
    for one in street_records():
        result = [
            {**box, "original_width": WIDTH, "original_height": HEIGHT, "value": {**box["value"], "rotation": 20}}
            for box in one.annotations[0].result
        ]
        made.append(record(one.task, one.data, result))
    return made


REMARKS_CONFIG = STREETS_CONFIG.replace(
    "</View>",
    '<Choices name="is" toName="image" perRegion="true"><Choice value="low"/><Choice value="high"/></Choices></View>',
)


def remark_records() -> list[Record]:
    """The same boxes, each with what holds of it."""
    control = control_of(REMARKS_CONFIG)
    made = []
    for one in street_records():
        result: list[dict[str, Any]] = []
        for number, box in enumerate(one.annotations[0].result):
            result.append({**box, "id": f"box{number}"})
            chosen = "low" if "Vehicle" in box["value"]["rectanglelabels"] else "high"
            result.append({**region(control, "choices", {"choices": [chosen]}), "id": f"box{number}"})
        made.append(record(one.task, one.data, result))
    return made


MOODS_CONFIG = (
    '<View><Text name="text" value="$text"/><Labels name="who" toName="text"><Label value="person"/></Labels>'
    '<Choices name="is" toName="text" perRegion="true"><Choice value="glad"/><Choice value="angry"/></Choices></View>'
)


def mood_records() -> list[Record]:
    """People in texts, each with what holds of them."""
    made = []
    for number, one in enumerate(moods.examples()):
        result: list[dict[str, Any]] = []
        for at, remark in enumerate(one.remarks):
            assert isinstance(remark.place, Span)
            place = {"start": remark.place.start, "end": remark.place.end}
            shared = {"id": f"who{at}", "to_name": "text"}
            who = {"from_name": "who", "type": "labels", "value": {**place, "labels": ["person"]}}
            said = {"from_name": "is", "type": "choices", "value": {**place, "choices": list(remark.labels)}}
            result += [{**shared, **who}, {**shared, **said}]
        made.append(record(number, {"text": one.item.input}, result))
    return made


TURNS_CONFIG = MOODS_CONFIG.replace("Labels", "ParagraphLabels").replace(
    '<Text name="text" value="$text"/>', '<Paragraphs name="text" value="$turns"/>'
)


def turn_records() -> list[Record]:
    """The same people, each sentence being a turn of a dialogue."""
    made = []
    for number, one in enumerate(mood_records()):
        text, result = str(one.data["text"]), []
        for said in one.annotations[0].result:
            place = said["value"]
            before = text[: place["start"]]
            turn, begin = str(before.count(". ")), before.rfind(". ") + 2 if ". " in before else 0
            value = {"start": turn, "end": turn}
            value |= {f"{side}Offset": place[side] - begin for side in ("start", "end")}
            name = {"labels": "paragraphlabels"}.get(said["type"], said["type"])
            result.append({**said, "type": name, "value": {**value, name: place[said["type"]]}})
        turns = [{"text": f"{sentence}."} for sentence in text.removesuffix(". ").split(". ")]
        made.append(record(number, {"turns": turns}, result))
    return made


ENTITIES_CONFIG = (
    '<View><Text name="text" value="$text"/><Labels name="what" toName="text">'
    + "".join(f'<Label value="{name}"/>' for name in sentences.LABELS)
    + "</Labels></View>"
)


def entity_records() -> list[Record]:
    control = control_of(ENTITIES_CONFIG)
    return [
        record(
            number,
            {"text": example.item.input},
            [region(control, "labels", {"start": s.start, "end": s.end, "labels": [s.label]}) for s in example.spans],
        )
        for number, example in enumerate(sentences.examples(), 1)
    ]


CAPTIONS_CONFIG = """<View><Image name="image" value="$image"/>
<TextArea name="caption" toName="image" maxSubmissions="1"/></View>"""


def caption_records() -> list[Record]:
    control = control_of(CAPTIONS_CONFIG)
    return [
        replace(
            one, annotations=(replace(one.annotations[0], result=(region(control, "textarea", {"text": [said]}),)),)
        )
        for one, said in zip(street_records(), ["A car.", "A car and a sign.", "Two cars.", "A sign."], strict=True)
    ]


def painted_records() -> list[Record]:
    """The boxes of street scenes, painted."""
    made = []
    for number, scene in enumerate(streets(4), 1):
        address = f"data:image/jpeg;base64,{base64.b64encode(scene.jpeg).decode()}"
        found = []
        for drawn in scene.objects:
            mask = np.zeros((HEIGHT, WIDTH), np.bool_)
            left, top, right, bottom = map(int, drawn.area)
            mask[top:bottom, left:right] = True
            found.append((mask, drawn.label))
        names = {"from_name": "objects", "to_name": "image"}
        made.append(record(number, {"image": address}, [{**one, **names} for one in masks(found, (WIDTH, HEIGHT))]))
    return made


MAPS_CONFIG = (
    '<View><Image name="image" value="$image"/><BrushLabels name="areas" toName="image">'
    + "".join(f'<Label value="{name}"/>' for name in landscapes.LABELS)
    + "</BrushLabels></View>"
)
MAP_WISHES = {f"prelabel_{name}": str(value) for name, value in {**landscapes.TINY, "epochs": 2}.items()}


def map_records() -> list[Record]:
    """Landscapes painted all over, each label once."""
    made = []
    for number in range(1, 5):
        pixels, classes = landscapes.landscape(number)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        address = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        found = [(classes == index, name) for index, name in enumerate(landscapes.LABELS) if (classes == index).any()]
        names = {"from_name": "areas", "to_name": "image"}
        made.append(record(number, {"image": address}, [{**one, **names} for one in masks(found, (64, 48))]))
    return made


KEYPOINTS_CONFIG = STREETS_CONFIG.replace(
    "</View>",
    '<KeyPointLabels name="points" toName="image"><Label value="Front"/><Label value="Top"/></KeyPointLabels>'
    '<Choices name="seen" toName="image" perRegion="true"><Choice value="visible"/><Choice value="hidden"/></Choices>'
    "</View>",
)


def pointed_records() -> list[Record]:
    """The same boxes, each with two points."""
    control = control_of(KEYPOINTS_CONFIG)
    made = []
    for one in street_records():
        result: list[dict[str, Any]] = []
        for number, box in enumerate(one.annotations[0].result):
            value = box["value"]
            places = {"Front": (value["x"], value["y"]), "Top": (value["x"] + value["width"], value["y"])}
            result.append({**box, "id": f"box{number}"})
            for name, (x, y) in places.items():
                point = {"x": min(x, WHOLE), "y": y, "width": 1, "keypointlabels": [name]}
                own = {"id": f"{name}{number}", "parentID": f"box{number}"}
                result.append({**region(control, "keypointlabels", point), **own})
        made.append(record(one.task, one.data, result))
    return made


def record(task: int, data: Mapping[str, Any], result: Iterable[Mapping[str, Any]]) -> Record:
    return Record(task, data, (Annotation(task, tuple(result), updated_at=f"2026-01-01T00:00:{task:02}Z"),))


def region(control: Control, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {"from_name": control.name, "to_name": control.to_name, "type": kind, "value": dict(value)}


def control_of(xml: str, **wishes: str) -> Control:
    *_, control = parse_config(xml).controls
    return replace(control, attributes={**control.attributes, **wishes})


@dataclass(frozen=True)
class Case:
    """One kind of task: few, quick examples of it, quick wishes, and what the manifest says of it."""

    xml: str
    records: Callable[[], list[Record]]
    wishes: Mapping[str, str]
    measures: frozenset[str]

    def control(self, **wishes: str) -> Control:
        return control_of(self.xml, **{**self.wishes, **wishes})


CASES = [
    pytest.param(
        Case(TICKETS_CONFIG, ticket_records, {}, frozenset({"out_of_fold_accuracy"})), id="text_classification"
    ),
    pytest.param(
        Case(ENTITIES_CONFIG, entity_records, {"prelabel_iterations": "20"}, frozenset({"out_of_fold_f1", "examples"})),
        id="named_entities",
    ),
    pytest.param(
        Case(CAPTIONS_CONFIG, caption_records, {}, frozenset({"out_of_fold_token_f1", "out_of_fold_cider"})),
        id="captions",
    ),
    pytest.param(
        Case(
            STREETS_CONFIG,
            street_records,
            {"prelabel_epochs": "2", "prelabel_image_size": "128", "prelabel_freeze": "classes"},
            frozenset({"out_of_fold_map50", "out_of_fold_recall"}),
        ),
        id="object_detection",
        marks=needs_ultralytics,
    ),
    pytest.param(
        Case(
            STREETS_CONFIG,
            turned_records,
            {"prelabel_epochs": "2", "prelabel_image_size": "128", "prelabel_freeze": "classes"},
            frozenset({"out_of_fold_map50", "out_of_fold_recall"}),
        ),
        id="turned_boxes",
        marks=needs_ultralytics,
    ),
    pytest.param(
        Case(REMARKS_CONFIG, remark_records, {}, frozenset({"out_of_fold_accuracy", "examples"})),
        id="region_classification",
    ),
    pytest.param(
        Case(MOODS_CONFIG, mood_records, {}, frozenset({"out_of_fold_accuracy", "examples"})), id="span_classification"
    ),
    pytest.param(
        Case(TURNS_CONFIG, turn_records, {}, frozenset({"out_of_fold_accuracy", "examples"})), id="spans_of_dialogues"
    ),
    pytest.param(
        Case(
            STREETS_CONFIG.replace("RectangleLabels", "BrushLabels"),
            painted_records,
            {"prelabel_epochs": "2", "prelabel_image_size": "128", "prelabel_freeze": "classes"},
            frozenset({"out_of_fold_map50", "out_of_fold_recall", "out_of_fold_miou"}),
        ),
        id="instance_segmentation",
        marks=needs_ultralytics,
    ),
    pytest.param(
        Case(
            KEYPOINTS_CONFIG,
            pointed_records,
            {"prelabel_epochs": "2", "prelabel_image_size": "128", "prelabel_views": "1", "prelabel_width": "8"},
            frozenset({"out_of_fold_oks_map50", "out_of_fold_recall"}),
        ),
        id="keypoints",
        marks=needs_ultralytics,
    ),
    pytest.param(
        Case(
            MAPS_CONFIG,
            map_records,
            {**MAP_WISHES, "prelabel_task": "semantic"},
            frozenset({"out_of_fold_miou", "out_of_fold_iou_Sky", "out_of_fold_pixel_accuracy", "out_of_fold_recall"}),
        ),
        id="semantic_segmentation",
    ),
]


@dataclass(frozen=True)
class Classroom:
    """A teacher's collaborators, in a folder."""

    artifacts: Artifacts
    inputs: InputReader
    features: FeatureStore
    families: Families

    def teach(
        self,
        control: Control,
        records: Iterable[Record],
        champion: ControlVersion | None = None,
        parameters: Mapping[str, Any] | None = None,
        watch: Watch | None = None,
    ) -> Taught:
        featuriser = Featuriser(UID, self.features, self.inputs)
        teacher = Teacher(self.artifacts, self.families, featuriser, "v1", 0, parameters or {})
        return teacher.teach(control, records, champion, (), (), lambda done, total: None, watch or Watch())


@pytest.fixture
def classroom(tmp_path: Path) -> Classroom:
    store = ObjectStore(str(tmp_path / "store"))
    media = MediaFetcher(MediaCache(tmp_path / "media", 100_000_000), MediaLimits())
    families = Families(None)
    return Classroom(Artifacts(store, tmp_path / "cache"), InputReader(media), FeatureStore(store), families)


@pytest.mark.parametrize("case", CASES)
def test_a_first_version_is_taught_and_the_same_examples_change_nothing(case: Case, classroom: Classroom) -> None:
    control, records = case.control(), case.records()
    taught = classroom.teach(control, records)
    assert taught.changed
    part = taught.part
    assert part is not None
    assert part.labels == control.label_names
    assert part.metrics["examples"] == len(records)
    assert {"name", "learnt_from"} <= part.recipe.keys()
    assert part.recipe["overrides"] == control.hyperparameters
    assert case.measures <= part.metrics.keys()
    said = " ".join(in_words(part.metrics))
    for measure in case.measures - {"examples"}:
        name = measure.removeprefix("out_of_fold_")
        assert name.startswith("iou_") or FIGURES[name][0] in said, "figures of single labels are not headlines"

    family = classroom.families.behind(part)
    model = family.load(classroom.artifacts.fetch(part.artifact))
    task = {"id": 1, "data": dict(records[0].data)}
    (output,) = model.predict([Item(classroom.inputs.read(control, task))])
    decision = postprocess_of(family.task).from_json(part.postprocess).decide(output, model.labels)
    regions = regions_of(control, decision, records[0].data, key="1:v1")
    assert parse_config(case.xml).validate({"result": regions}) == []

    begun_at_random = family.task in (  # there is no weights folder here
        TaskKind.OBJECT_DETECTION,
        TaskKind.INSTANCE_SEGMENTATION,
        TaskKind.KEYPOINTS,
    )
    assert ["random weights" in note for note in taught.notes] == [True] * begun_at_random

    again = classroom.teach(control, records, part)
    assert (again.changed, again.part, again.challenger) == (False, part, None)


@pytest.mark.parametrize("case", CASES)
def test_a_wish_that_the_family_does_not_know_is_said_and_nothing_breaks(case: Case, classroom: Classroom) -> None:
    taught = classroom.teach(case.control(prelabel_epohcs="3"), case.records())
    assert (taught.changed, taught.part) == (False, None)
    (note,) = taught.notes
    assert "epohcs" in note


@pytest.mark.parametrize("case", CASES)
def test_cancelling_ends_it(case: Case, classroom: Classroom) -> None:
    with pytest.raises(Cancelled):
        classroom.teach(case.control(), case.records(), watch=Watch(cancelled=lambda: True))


def test_what_people_paint_decides_and_is_said_once(classroom: Classroom) -> None:
    control, records = control_of(MAPS_CONFIG, **MAP_WISHES), map_records()
    first = classroom.teach(control, records[:3])
    assert first.part is not None
    assert first.part.family == "semantic_segmentation/unet_lite0.v1"
    assert ['prelabel_task="instance"' in note for note in first.notes] == [True]
    then = classroom.teach(control, records, first.part)
    assert then.changed
    assert not any("prelabel_task" in note for note in then.notes)


def test_wishes_are_recorded_and_other_ones_train_anew(classroom: Classroom) -> None:
    records = ticket_records()
    first = classroom.teach(control_of(TICKETS_CONFIG, prelabel_strength="0.5"), records).part
    assert first is not None
    assert (first.recipe["strength"], first.recipe["overrides"]) == (0.5, {"strength": 0.5})
    same = classroom.teach(control_of(TICKETS_CONFIG), records, first, {"topic": {"strength": 0.5}})
    assert not same.changed, "the same wish, said elsewhere"
    other = classroom.teach(control_of(TICKETS_CONFIG), records, first, {"strength": 0.25})
    assert other.changed
    assert other.part is not None
    assert other.part.recipe["strength"] == 0.25


@needs_ultralytics
def test_images_without_objects_alone_teach_nothing_yet(classroom: Classroom) -> None:
    empty = [replace(one, annotations=(replace(one.annotations[0], result=()),)) for one in street_records()]
    taught = classroom.teach(control_of(STREETS_CONFIG), empty)
    assert (taught.changed, taught.part) == (False, None)
    assert len(taught.notes) == 1


@needs_ultralytics
def test_turned_labels_ask_for_a_detector_of_turned_boxes(classroom: Classroom) -> None:
    wishes = {"prelabel_epochs": "1", "prelabel_image_size": "64", "prelabel_freeze": "classes"}
    upright = classroom.teach(control_of(STREETS_CONFIG, **wishes), street_records()[:3]).part
    assert upright is not None
    assert upright.family == YoloV1.name
    control = control_of(STREETS_CONFIG, **wishes)
    turned = classroom.teach(control, turned_records()[:3], upright)
    assert turned.challenger is not None
    assert turned.challenger.family == ORIENTED
    named = control_of(STREETS_CONFIG, prelabel_model=YoloV1.name, **wishes)
    family = classroom.families.of(named)
    boxes = CONVERTERS[control.tag].decode(control, turned_records()[0].annotations[0].result)
    assert boxes is not None
    assert classroom.families.suited(named, family, [boxes]) is family, "what a config names stays"
