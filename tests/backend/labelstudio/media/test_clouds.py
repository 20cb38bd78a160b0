"""Objects read directly, from a real S3 server that checks signatures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.errors import MediaError
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
from backend.labelstudio.media.clouds import Buckets
from tests.object_storage import ObjectStorage, serve_objects

PROGRAM = """
import json, sys
from backend.errors import MediaError
from backend.labelstudio.media import MediaCache, MediaFetcher, MediaLimits
folder, bucket, *uris = sys.argv[1:]
from pathlib import Path
fetcher = MediaFetcher(MediaCache(Path(folder), 10_000_000), MediaLimits(max_bytes=1000, timeout=10, buckets=(bucket,)))
for uri in uris:
    try:
        print(json.dumps(fetcher.fetch(uri).read_bytes().decode()))
    except MediaError as error:
        print(json.dumps({"refused": str(error)}))
"""


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStorage]:
    with serve_objects(tmp_path_factory.mktemp("objects")) as running:
        yield running


def fetch(storage: ObjectStorage, folder: Path, bucket: str, *uris: str, **environment: str) -> list[object]:
    """What a process with the operator's environment gets for each of `uris`: a text, or why it was refused.

    Another process, since s3fs keeps threads and connections for as long as one lives.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(folder), bucket, *uris],
        env={"PATH": "", "HOME": str(folder), **storage.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("key", ["a.png", "deep/er/ü 1+2&3.png", "100%25.png", "a#b?.png"])
def test_objects_of_a_named_bucket_are_read(storage: ObjectStorage, tmp_path: Path, key: str) -> None:
    uri = storage.put("photos", key, b"pixels")
    assert fetch(storage, tmp_path, "s3://photos", f" {uri}\n") == ["pixels"]


def test_what_is_refused_says_why(storage: ObjectStorage, tmp_path: Path) -> None:
    small = storage.put("photos", "exact.png", b"x" * 1000)
    large = storage.put("photos", "large.png", b"x" * 1001)
    elsewhere = storage.put("secrets", "plan.txt", b"hidden")
    answers = fetch(storage, tmp_path, "s3://photos", small, large, "s3://photos/gone.png", elsewhere)
    assert answers[0] == "x" * 1000
    assert "larger than 1000 bytes" in str(answers[1])
    assert "s3://photos/gone.png" in str(answers[2])
    assert "is not there" in str(answers[2])
    assert "no Label Studio is connected" in str(answers[3])


def test_wrong_credentials_are_a_sentence_without_them(storage: ObjectStorage, tmp_path: Path) -> None:
    uri = storage.put("photos", "b.png", b"pixels")
    (answer,) = fetch(storage, tmp_path, "s3://photos", uri, AWS_SECRET_ACCESS_KEY="wrong")
    assert "Check the credentials in the environment" in str(answer)
    assert "wrong" not in str(answer)


def test_a_store_that_does_not_answer_is_waited_for_no_longer_than_the_time_out(tmp_path: Path) -> None:
    buckets = Buckets(("s3://photos",), timeout=0.001, max_bytes=10)
    with pytest.raises(MediaError, match=r"did not arrive within 0\.001 s|could not be read"):
        buckets.read("s3://photos/a.png")


@pytest.mark.parametrize(
    ("named", "uri", "covered"),
    [
        ("s3://photos", "s3://photos/a.png", True),
        ("s3://photos/", "S3://photos/a.png", True),
        ("s3://photos/2026", "s3://photos/2026/a.png", True),
        ("s3://photos/2026", "s3://photos/2026-secret/a.png", False),
        ("s3://photos/2026", "s3://photos/2026/../secret.png", False),
        ("s3://photos/2026", "s3://photos/2026/%2e%2e/secret.png", False),
        ("s3://photos", "s3://photos-secret/a.png", False),
        ("s3://photos", "gs://photos/a.png", False),
        ("azure-blob://photos", "azure-blob://photos/a.png", True),
    ],
)
def test_only_what_lies_in_a_named_bucket_is_covered(named: str, uri: str, covered: bool) -> None:
    assert Buckets((named,), 1.0, 10).cover(uri) is covered


@pytest.mark.parametrize(("scheme", "library", "extra"), [("gs", "gcsfs", "gs"), ("azure-blob", "adlfs", "azure")])
def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, library: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not there
    limits = MediaLimits(buckets=(f"{scheme}://photos",))
    with pytest.raises(MediaError, match=rf"pip install 'prelabel\[{extra}\]'"):
        MediaFetcher(MediaCache(tmp_path, 1000), limits).fetch(f"{scheme}://photos/a.png")
