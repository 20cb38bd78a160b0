from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image

from backend.errors import MediaError
from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
from tests.label_studio import LabelStudioInstance, TestProject
from tests.object_storage import KEY, SECRET, serve_objects

pytestmark = pytest.mark.label_studio

CONFIG = (
    '<View><Image name="image" value="$image"/>'
    '<Choices name="kind" toName="image"><Choice value="A"/><Choice value="B"/></Choices></View>'
)


def fetcher(tmp_path: Path, url: str, api_key: str, allowed: tuple[str, ...] = ("127.0.0.1",)) -> MediaFetcher:
    """A fetcher connected as a running backend is."""
    connection = Connection(url, api_key)
    client = LabelStudio(connection)
    cache = MediaCache(tmp_path / "media", 10_000_000)
    limits = MediaLimits(timeout=30, allowed_hosts=frozenset(allowed))
    return MediaFetcher(cache, limits, lambda: connection, client.authorization_header)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A small image file whose name needs quoting."""
    path = tmp_path / "a b é.png"
    Image.new("RGB", (8, 6), (10, 20, 30)).save(path)
    return path


@pytest.fixture
def image_project(label_studio: LabelStudioInstance) -> TestProject:
    return label_studio.new_project(CONFIG)


def test_an_upload(image_project: TestProject, image: Path, tmp_path: Path, sub_path_url: str) -> None:
    studio = image_project.studio
    value = image_project.task(image_project.upload(image))["data"]["image"]
    assert value.startswith("/data/upload/")
    for number, url in enumerate((studio.url, sub_path_url)):
        found = fetcher(tmp_path / str(number), url, studio.api_key).fetch(value)
        assert found.read_bytes() == image.read_bytes()
    below = fetcher(tmp_path / "below", sub_path_url, studio.api_key).fetch("/label-studio" + value)
    assert below.read_bytes() == image.read_bytes()


def test_a_local_file(
    image_project: TestProject, image: Path, tmp_path: Path, label_studio_files: Path, sub_path_url: str
) -> None:
    folder = label_studio_files / "media"
    folder.mkdir(exist_ok=True)
    (folder / image.name).write_bytes(image.read_bytes())
    image_project.serve_local_files(folder)
    value = f"/data/local-files/?d={quote(f'media/{image.name}')}"
    for number, url in enumerate((image_project.studio.url, sub_path_url)):
        found = fetcher(tmp_path / str(number), url, image_project.studio.api_key).fetch(value)
        assert found.read_bytes() == image.read_bytes()


@pytest.mark.parametrize("value", ["/data/upload/1/gone.png", "/data/local-files/?d=../../etc/passwd"])
def test_what_is_not_there(label_studio: LabelStudioInstance, tmp_path: Path, value: str) -> None:
    with pytest.raises(MediaError, match=r"answered with status \d+, wanted 200"):
        fetcher(tmp_path, label_studio.url, label_studio.api_key).fetch(value)


def test_a_wrong_token(image_project: TestProject, image: Path, tmp_path: Path) -> None:
    value = image_project.task(image_project.upload(image))["data"]["image"]
    with pytest.raises(MediaError, match=r"status 401, wanted 200\. .*prelabel connect"):
        fetcher(tmp_path, image_project.studio.url, "0" * 40).fetch(value)


@pytest.mark.parametrize("presign", [True, False], ids=["by a signed address", "through Label Studio"])
def test_an_object_in_a_storage_of_the_project(
    image_project: TestProject, image: Path, tmp_path: Path, sub_path_url: str, presign: bool
) -> None:
    studio = image_project.studio
    with serve_objects(tmp_path / "objects") as storage:
        uri = storage.put("photos", f"deep/er/{image.name}", image.read_bytes())
        stranger = storage.put("others", "a.png", image.read_bytes())
        (task,) = image_project.read_from_bucket(storage.url, "photos", KEY, SECRET, presign=presign)
        assert studio.call("GET", f"/api/tasks/{task}/?resolve_uri=false")["data"]["image"] == uri
        for number, url in enumerate((studio.url, sub_path_url)):
            found = fetcher(tmp_path / str(number), url, studio.api_key).fetch(uri, task_id=task)
            assert found.read_bytes() == image.read_bytes()
        with pytest.raises(MediaError, match=r'"s3://others/a\.png" answered with status 404.*as a source storage'):
            fetcher(tmp_path / "third", studio.url, studio.api_key).fetch(stranger, task_id=task)
        with pytest.raises(MediaError, match=r"gone\.png"):
            fetcher(tmp_path / "fourth", studio.url, studio.api_key).fetch("s3://photos/gone.png", task_id=task)


def test_a_signed_address_on_a_private_machine_is_asked_for_only_if_it_is_named(
    image_project: TestProject, image: Path, tmp_path: Path
) -> None:
    studio = image_project.studio
    with serve_objects(tmp_path / "objects") as storage:
        uri = storage.put("photos", image.name, image.read_bytes())
        (task,) = image_project.read_from_bucket(storage.url, "photos", KEY, SECRET)
        with pytest.raises(MediaError, match=r"private address.*PRELABEL_ALLOWED_HOSTS"):
            fetcher(tmp_path, studio.url, studio.api_key, allowed=()).fetch(uri, task_id=task)
