"""`prelabel predict --input`: files without Label Studio."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from backend.cli import app
from backend.errors import MediaError
from backend.labelstudio.config import parse_config
from backend.labelstudio.media.folder import FolderMedia
from backend.settings import Settings
from tests.backend.bulk.published import publish

UID = "7.1795149789"
COLOURS = """<View>
  <Image name="photo" value="$photo"/>
  <Choices name="colour" toName="photo"><Choice value="red"/><Choice value="blue"/></Choices>
</View>"""
TOPICS = """<View>
  <Text name="text" value="$words"/>
  <Choices name="topic" toName="text"><Choice value="money"/><Choice value="weather"/></Choices>
</View>"""
SAID = {
    "money": ["I was charged twice for my order", "please refund the invoice", "my credit card was billed again"],
    "weather": ["it rains in the mountains", "a sunny day with little wind", "snow and frost until Sunday"],
}


def picture(colour: str, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 60, (64, 64, 3))
    noise[:, :, 0 if colour == "red" else 2] += 180
    return noise.astype(np.uint8)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A store with a project that tells red pictures from blue ones."""
    settings = Settings.from_environment({}, data_dir=tmp_path_factory.mktemp("data"))
    examples = [(picture(colour, seed), colour) for colour in ("red", "blue") for seed in range(4)]
    publish(settings, UID, COLOURS, {"colour": examples}, title="Colours")
    return settings


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of pictures, one of them in a folder of its own, one that is none, and files of other kinds."""
    folder = tmp_path / "photos"
    (folder / "of summer").mkdir(parents=True)
    (folder / ".thumbnails").mkdir()
    Image.fromarray(picture("red", 20)).save(folder / "a.png")
    Image.fromarray(picture("blue", 21)).save(folder / "of summer" / "B.JPEG")
    Image.fromarray(picture("blue", 22)).save(folder / ".thumbnails" / "b.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("notes")
    return folder


def predict(settings: Settings, folder: Path, output: Path, model: str, *more: str) -> tuple[int, str]:
    where = ["--input", str(folder), "--output", str(output), "--model", model]
    result = CliRunner().invoke(
        app, ["predict", *where, "--data-dir", str(settings.data_dir), *more], env={"COLUMNS": "300"}
    )
    return result.exit_code, result.output


@pytest.mark.parametrize("model", ["v1", "7/v1", "7/current"])
def test_a_folder_of_pictures(settings: Settings, photos: Path, tmp_path: Path, model: str) -> None:
    output = tmp_path / "made" / "predictions.json"
    status, said = predict(settings, photos, output, model)
    assert status == 0, said
    assert "2 of 3 files predicted with v1" in said
    assert 'broken.jpg: "broken.jpg" cannot be used' in said
    tasks = {task["data"]["photo"]: task["predictions"] for task in json.loads(output.read_text())}
    assert list(tasks) == ["a.png", "broken.jpg", "of summer/B.JPEG"]
    assert tasks["broken.jpg"] == []
    (red,), (blue,) = tasks["a.png"], tasks["of summer/B.JPEG"]
    assert [entry["result"][0]["value"]["choices"] for entry in (red, blue)] == [["red"], ["blue"]]
    assert red["model_version"] == "v1"
    assert 0 <= red["score"] <= 1
    assert parse_config(COLOURS).validate(red) == []
    assert [path.name for path in output.parent.iterdir()] == ["predictions.json"]


@pytest.mark.parametrize(
    ("prefix", "address"),
    [
        ("s3://photos/", "s3://photos/of summer/B.JPEG"),
        ("/data/local-files/?d=photos/", "/data/local-files/?d=photos/of%20summer/B.JPEG"),
        ("https://images.example/", "https://images.example/of%20summer/B.JPEG"),
    ],
)
def test_addresses_are_those_that_label_studio_will_use(
    settings: Settings, photos: Path, tmp_path: Path, prefix: str, address: str
) -> None:
    assert predict(settings, photos, tmp_path / "p.json", "v1", "--prefix", prefix)[0] == 0
    assert json.loads((tmp_path / "p.json").read_text())[-1]["data"]["photo"] == address


def test_texts_before_the_first_version(tmp_path: Path) -> None:
    settings = Settings.from_environment({}, data_dir=tmp_path / "data")
    examples = [(text, topic) for topic, texts in SAID.items() for text in texts]
    publish(settings, UID, TOPICS, {"topic": examples})
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("\ufeffWhy was my card charged twice?", encoding="utf-8")
    (folder / "b.txt").write_bytes(b"\xff\xfe\x00")
    (folder / "c.txt").write_text(" ")
    for model in ("v0", "v1"):
        status, said = predict(settings, folder, tmp_path / f"{model}.json", model)
        assert (status, "is no text in UTF-8" in said, "got an empty one" in said) == (0, True, True), said
    first = json.loads((tmp_path / "v1.json").read_text())[0]
    assert first["data"] == {"words": "Why was my card charged twice?"}
    assert first["predictions"][0]["result"][0]["value"]["choices"] == ["money"]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ("v9", "has no version 'v9'. It has: v1"),
        ("8/v1", "Project 8 was never set up here; projects that were: 7"),
        ("../v1", "wanted a version such as 'v3'"),
        ("best", "wanted a name such as 'v3'"),
    ],
)
def test_a_wrong_model_is_a_sentence(
    settings: Settings, photos: Path, tmp_path: Path, model: str, sentence: str
) -> None:
    status, said = predict(settings, photos, tmp_path / "p.json", model)
    assert status == 1
    assert sentence in said
    assert not (tmp_path / "p.json").exists()


def test_a_version_alone_is_not_enough_where_there_are_several_projects(photos: Path, tmp_path: Path) -> None:
    settings = Settings.from_environment({}, data_dir=tmp_path / "data")
    assert "The store has no project" in predict(settings, photos, tmp_path / "p.json", "v1")[1]
    publish(settings, UID, TOPICS, {}, title="Topics")
    publish(settings, "8.1795149789", COLOURS, {}, title="Colours")
    assert (
        "several projects: 7 (Topics), 8 (Colours). Say which: ID/v1"
        in predict(settings, photos, tmp_path / "p.json", "v1")[1]
    )


def test_a_folder_without_anything_to_predict_is_a_sentence(settings: Settings, tmp_path: Path) -> None:
    assert "is no folder" in predict(settings, tmp_path / "gone", tmp_path / "p.json", "v1")[1]
    assert (
        "holds no file that this project can show: wanted .avif"
        in predict(settings, tmp_path, tmp_path / "p.json", "v1")[1]
    )


def test_an_output_that_cannot_be_written_is_a_sentence(settings: Settings, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, said = predict(settings, photos, tmp_path / "file" / "p.json", "v1")
    assert (status, "cannot be written" in said) == (1, True)


@pytest.mark.parametrize("given", [[], ["--input", "a"], ["--project", "1", "--input", "a"]])
def test_half_an_order_is_refused(given: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["predict", *given, "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "either --project, or --input, --output and --model" in result.output


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    media = FolderMedia(folder, 100)
    for name in ("../secret.png", "link.png", str(tmp_path / "secret.png")):
        with pytest.raises(MediaError, match="lies outside of"):
            media.fetch(name)
