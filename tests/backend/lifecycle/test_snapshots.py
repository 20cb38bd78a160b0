"""Snapshots compared, and exported as data sets."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from backend.cli import app
from backend.errors import InvalidRequest, StoreError
from backend.labelstudio.config import parse_config
from backend.lifecycle.datasets import FORMATS
from backend.lifecycle.manifest import augmented_manifest
from backend.lifecycle.snapshots import Data, compare, describe, export, open_data
from backend.projects.provenance import Provenance
from backend.projects.record import ProjectRecord
from backend.projects.roles import Role
from backend.settings import Settings
from backend.simulation.readers import read_set
from backend.simulation.regions import masks
from backend.store.manifest import Manifest
from backend.store.objects import ObjectStore
from backend.store.projects import ProjectRecords
from backend.store.records import Annotation, Record
from backend.store.snapshots import Snapshots
from backend.store.versions import Versions

UID = "7.1795149789"
TEXTS = (
    '<View><Text name="text" value="$text"/><Choices name="topic" toName="text"><Choice value="billing"/>'
    '<Choice value="other"/></Choices></View>'
)
IMAGES = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image"><Label value="cat"/>'
    '<Label value="dog"/></RectangleLabels></View>'
)
ENTITIES = (
    '<View><Text name="text" value="$text"/><Labels name="entity" toName="text"><Label value="city"/></Labels></View>'
)


def topic(task: int, name: str, role: Role = Role.TRAIN, **more: Any) -> Record:
    region = {"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": [name]}}
    given = {"completed_by": 3, "updated_at": "2026-11-20T09:00:00Z", "lead_time": 4.5, **more}
    return Record(task, {"text": f'text {task}, with "quotes"'}, (Annotation(task * 10, (region,), **given),), role)


def boxes(task: int, *drawn: tuple[float, float, float, float, str]) -> Record:
    regions = tuple(
        {
            "id": f"r{number}",
            "from_name": "box",
            "to_name": "image",
            "type": "rectanglelabels",
            "original_width": 200,
            "original_height": 100,
            "image_rotation": 0,
            "value": {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": [label]},
        }
        for number, (x, y, width, height, label) in enumerate(drawn)
    )
    return Record(task, {"image": f"https://cats.example/{task}.jpg"}, (Annotation(task, regions, 3),))


def data_of(folder: Path, xml: str, *versions: Sequence[Record]) -> Settings:
    """A project whose versions learnt from these records."""
    settings = Settings(data_dir=folder)
    store = ObjectStore(settings.store_address)
    ProjectRecords(store).put(ProjectRecord(UID, "Tickets", xml))
    for number, records in enumerate(versions, 1):
        snapshot = Snapshots(store).write(UID, None, records)
        Snapshots(store).set_head(UID, snapshot)
        Versions(store).publish(Manifest(UID, f"v{number}", 0.0, number, {}, snapshot=snapshot))
    return settings


@pytest.fixture
def texts(tmp_path: Path) -> Data:
    before = [topic(1, "billing"), topic(2, "other"), topic(3, "other")]
    after = [topic(1, "other"), topic(2, "other", updated_at="2026-11-20T10:00:00Z"), topic(400, "billing")]
    return open_data(data_of(tmp_path / "data", TEXTS, before, after), 7)


@pytest.fixture
def images(tmp_path: Path) -> Data:
    records = [boxes(1, (10, 20, 30, 40, "dog"), (0, 0, 50, 50, "cat")), boxes(2)]
    return open_data(data_of(tmp_path / "data", IMAGES, records), 7)


def test_a_diff_says_what_happened_to_each_task(texts: Data) -> None:
    rows = compare(texts, "v1", "v2")
    assert [(row["task"], row["change"]) for row in rows] == [
        (1, "changed"),
        (2, "changed"),
        (3, "removed"),
        (400, "added"),
    ]
    assert list(describe(rows)) == [
        "1 added, 2 changed, 1 removed",
        " changed task 1: topic=billing -> topic=other",
        " changed task 2: topic=other (saved again)",
        " removed task 3: topic=other",
        "   added task 400: topic=billing",
    ]
    assert list(describe(compare(texts, "v2", "head"))) == ["Nothing differs."]


def test_a_diff_reads_no_chunk_that_both_share(texts: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    base = texts.find("v1")
    more = texts.snapshots.write(UID, base, [topic(1000, "other")])
    read: list[str] = []
    chunk = texts.snapshots._chunk
    monkeypatch.setattr(texts.snapshots, "_chunk", lambda uid, digest: read.append(digest) or chunk(uid, digest))
    assert [change.task for change in texts.snapshots.diff(UID, base, more)] == [1000]
    assert len(read) == 1


def test_snapshots_are_named_by_version_or_id(texts: Data) -> None:
    first = texts.find("v1")
    assert texts.find(first[:8]) == first
    assert texts.find("head") == texts.find("v2")
    for name in ("v0", first[:3], "ffffffff", "../x"):
        with pytest.raises(InvalidRequest, match="as a snapshot"):
            texts.find(name)


def test_manifest_of_choices_has_the_shape_of_ground_truth() -> None:
    skipped = Record(9, {"text": "x"}, (Annotation(90, (), was_cancelled=True),))
    records = [topic(1, "other", Role.HOLDOUT), topic(2, "billing", provenance=Provenance.IMPORTED), skipped]
    first, second = augmented_manifest(parse_config(TEXTS), records)
    assert first == {
        "source": 'text 1, with "quotes"',
        "task": 1,
        "role": "holdout",
        "topic": 1,
        "topic-metadata": {
            "class-name": "other",
            "type": "groundtruth/text-classification",
            "job-name": "prelabel",
            "human-annotated": "yes",
            "creation-date": "2026-11-20T09:00:00Z",
            "annotation": 10,
            "annotator": 3,
            "provenance": "human",
            "seconds": 4.5,
        },
    }
    assert second["topic-metadata"]["human-annotated"] == "no"


def test_manifest_of_boxes_is_in_pixels(images: Data) -> None:
    first, second = augmented_manifest(images.config, images.snapshots.read(UID, images.find("v1")))
    assert first["source-ref"] == "https://cats.example/1.jpg"
    assert first["box"] == {
        "image_size": [{"width": 200, "height": 100, "depth": 3}],
        "annotations": [
            {"class_id": 1, "left": 20, "top": 20, "width": 60, "height": 40},
            {"class_id": 0, "left": 0, "top": 0, "width": 100, "height": 50},
        ],
    }
    assert first["box-metadata"]["class-map"] == {"0": "cat", "1": "dog"}
    assert first["box-metadata"]["type"] == "groundtruth/object-detection"
    assert second["box"] == {"image_size": [], "annotations": []}


def test_manifest_of_masks_has_their_boxes_and_run_lengths() -> None:
    xml = IMAGES.replace("RectangleLabels", "BrushLabels")
    mask = np.zeros((100, 200), np.bool_)
    mask[20:60, 20:80] = True
    mask[30:50, 40:60] = False
    drawn = [{**region, "from_name": "box", "to_name": "image"} for region in masks([(mask, "dog")], (200, 100))]
    record = Record(1, {"image": "https://cats.example/1.jpg"}, (Annotation(1, tuple(drawn), 3),))
    (line,) = augmented_manifest(parse_config(xml), [record])
    assert line["box"]["image_size"] == [{"width": 200, "height": 100, "depth": 3}]
    (found,) = line["box"]["annotations"]
    runs = found.pop("run_lengths")
    assert found == {"class_id": 1, "left": 20, "top": 20, "width": 60, "height": 40}
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    np.testing.assert_array_equal(flat.reshape(40, 60), mask[20:60, 20:80])


def test_several_choices_are_a_list() -> None:
    xml = TEXTS.replace('toName="text"', 'toName="text" choice="multiple"', 1)
    (line,) = augmented_manifest(parse_config(xml), [topic(1, "other")])
    assert line["topic"] == [1]
    assert line["topic-metadata"]["class-map"] == {"1": "other"}
    assert line["topic-metadata"]["type"].endswith("-multilabel")


def test_captions_of_an_image_and_stars_of_a_page() -> None:
    xml = """<View><Image name="image" value="$image"/><TextArea name="says" toName="image"/>
    <HyperText name="page" value="$html"/><Rating name="stars" toName="page"/></View>"""
    said = {"from_name": "says", "to_name": "image", "type": "textarea", "value": {"text": ["A cat.", "Cat"]}}
    rated = {"from_name": "stars", "to_name": "page", "type": "rating", "value": {"rating": 4}}
    data = {"image": "https://cats.example/1.jpg", "html": "<p>Good</p>"}
    (line,) = augmented_manifest(parse_config(xml), [Record(1, data, (Annotation(10, (said, rated)),))])
    assert line["source-ref"] == "https://cats.example/1.jpg"
    assert line["says"] == ["A cat.", "Cat"]
    assert (line["stars"], line["stars-metadata"]["class-name"]) == (3, "4")


def test_coco_has_boxes_in_pixels(images: Data, tmp_path: Path) -> None:
    assert export(images, "v1", "coco", tmp_path / "coco") == 2
    found = json.loads((tmp_path / "coco" / "result.json").read_text())
    names = {category["id"]: category["name"] for category in found["categories"]}
    assert sorted((names[one["category_id"]], one["bbox"]) for one in found["annotations"]) == [
        ("cat", [0.0, 0.0, 100.0, 50.0]),
        ("dog", [20.0, 20.0, 60.0, 40.0]),
    ]
    assert found["images"][0]["file_name"].endswith("1.jpg")


def test_yolo_has_a_file_an_image(images: Data, tmp_path: Path) -> None:
    export(images, "head", "yolo", tmp_path / "yolo")
    assert (tmp_path / "yolo" / "classes.txt").read_text().split() == ["cat", "dog"]
    lines = [path.read_text().split("\n") for path in (tmp_path / "yolo" / "labels").iterdir()]
    rows = sorted([float(value) for value in line.split()] for file in lines for line in file if line)
    assert rows == [[0.0, 0.25, 0.25, 0.5, 0.5], [1.0, 0.25, 0.4, 0.3, 0.4]]


def test_csv_has_a_row_a_task(texts: Data, tmp_path: Path) -> None:
    export(texts, "v1", "csv", tmp_path / "csv")
    with (tmp_path / "csv" / "result.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["text"], row["topic"]) for row in rows] == [
        ('text 1, with "quotes"', "billing"),
        ('text 2, with "quotes"', "other"),
        ('text 3, with "quotes"', "other"),
    ]


def entity_record(data: dict[str, Any], kind: str, *values: dict[str, Any]) -> Record:
    regions = [{"from_name": "entity", "to_name": "text", "type": kind, "value": value} for value in values]
    return Record(1, data, (Annotation(1, tuple(regions)),))


def test_conll_has_a_line_a_word(tmp_path: Path) -> None:
    """Spans that end within what a tokenizer would call a word are whole, and what is written can be read again."""
    text = "🙂 I like New York's Oslo."
    values = [{"start": 9, "end": 17, "labels": ["city"]}, {"start": 20, "end": 24, "labels": ["city"]}]
    FORMATS["conll"](parse_config(ENTITIES), [entity_record({"text": text}, "labels", *values)], tmp_path / "conll")
    written = tmp_path / "conll" / "result.conll"
    lines = written.read_text().splitlines()
    assert lines[0] == "-DOCSTART- -X- O"
    tagged = [line.split(" -X- _ ") for line in lines[1:] if line]
    assert [word for word, tag in tagged if tag != "O"] == ["New", "York", "Oslo"]
    assert [tag for _, tag in tagged if tag != "O"] == ["B-city", "I-city", "B-city"]
    (task,) = read_set(written, "conll").tasks
    assert [region["value"]["text"] for region in task["annotations"][0]["result"]] == ["New York", "Oslo"]


def test_conll_and_manifest_of_dialogues(tmp_path: Path) -> None:
    config = parse_config(
        '<View><Paragraphs name="text" value="$turns"/><ParagraphLabels name="entity" toName="text">'
        '<Label value="city"/></ParagraphLabels></View>'
    )
    turns = [{"author": "A", "text": "🙂 Hi"}, {"author": "B", "text": "🙂 Oslo!"}]
    value = {"start": "1", "startOffset": 3, "end": "1", "endOffset": 7, "paragraphlabels": ["city"]}
    record = entity_record({"turns": turns}, "paragraphlabels", value)
    FORMATS["conll"](config, [record], tmp_path / "conll")
    assert "Oslo -X- _ B-city" in (tmp_path / "conll" / "result.conll").read_text()
    (line,) = augmented_manifest(config, [record])
    (entity,) = line["entity"]["annotations"]["entities"]
    assert (entity["text"], entity["label"]) == ("Oslo", "city")
    assert line["entity-metadata"]["type"] == "groundtruth/text-span"


def test_what_does_not_fit_is_said_and_nothing_is_overwritten(texts: Data, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="wanted one of: manifest, json, csv"):
        export(texts, "v1", "coco", tmp_path / "coco")
    with pytest.raises(InvalidRequest, match="Got the format 'excel'"):
        export(texts, "v1", "excel", tmp_path / "excel")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(StoreError, match="not an empty folder"):
        export(texts, "v1", "csv", tmp_path / "mine")


def test_commands(texts: Data, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        result = CliRunner().invoke(
            app, ["snapshot", *arguments, "--project", "7", "--data-dir", str(tmp_path / "data")]
        )
        assert result.exit_code == 0, result.output
        return result.output

    assert run("diff", "v1", "v2").startswith("1 added, 2 changed, 1 removed")
    assert len(json.loads(run("diff", "v1", "v2", "--json"))) == 4
    assert "3 tasks" in run("export", "v1", "--output", str(tmp_path / "out"))
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["topic"] for line in lines] == [0, 1, 1]
    run("export", "v2", "--format", "json", "--output", str(tmp_path / "json"))
    again = json.loads((tmp_path / "json" / "tasks.json").read_text())
    assert again[0]["annotations"][0]["result"][0]["value"] == {"choices": ["other"]}
