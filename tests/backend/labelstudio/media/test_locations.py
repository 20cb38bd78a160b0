from __future__ import annotations

from base64 import urlsafe_b64decode

import httpx
import pytest

from backend.errors import MediaError
from backend.labelstudio.media.locations import carries_token, locate, shown

PINNED = "http://ls.example:8080"
BELOW = "https://ls.example/label-studio"


@pytest.mark.parametrize(
    ("value", "label_studio", "expected"),
    [
        ("/data/upload/1/a b.png", PINNED, "http://ls.example:8080/data/upload/1/a%20b.png"),
        ("/data/local-files/?d=dir/a.png", PINNED, "http://ls.example:8080/data/local-files/?d=dir/a.png"),
        ("/data/upload/1/a.png", BELOW, "https://ls.example/label-studio/data/upload/1/a.png"),
        ("/label-studio/data/upload/1/a.png", BELOW, "https://ls.example/label-studio/data/upload/1/a.png"),
        ("/label-studio/data/local-files/?d=a", BELOW + "/", "https://ls.example/label-studio/data/local-files/?d=a"),
        ("/tasks/7/presign/?fileuri=czM6", PINNED, "http://ls.example:8080/tasks/7/presign/?fileuri=czM6"),
        (" HTTPS://Images.example/é.png\n", None, "https://images.example/%C3%A9.png"),
        ("http://images.example:81/a?b=c", None, "http://images.example:81/a?b=c"),
    ],
)
def test_addresses_that_are_fetched(value: str, label_studio: str | None, expected: str) -> None:
    assert str(locate(value, label_studio)) == expected


@pytest.mark.parametrize("uri", ["s3://bucket/a b+ü.png", "gs://bucket/a?b#c.png", "azure-blob://bucket/%20.png"])
@pytest.mark.parametrize("label_studio", [PINNED, BELOW])
def test_cloud_storage_is_asked_for_through_label_studio(uri: str, label_studio: str) -> None:
    url = locate(f" {uri} ", label_studio, task_id=7)
    assert str(url).startswith(f"{label_studio}/tasks/7/presign/?fileuri=")
    assert urlsafe_b64decode(url.params["fileuri"]).decode() == uri
    assert carries_token(url, label_studio)
    assert shown(url) == shown(uri)


def test_cloud_storage_without_label_studio_says_what_to_do() -> None:
    with pytest.raises(MediaError, match=r"no Label Studio is connected.*PRELABEL_CLOUD_BUCKETS"):
        locate("s3://bucket/a.png", None, task_id=7)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("file:///etc/passwd", "has the scheme file:"),
        ("FILE:/etc/passwd", "has the scheme file:"),
        ("/etc/passwd", "files are never read from disk"),
        ("/data/upload/../../etc/passwd", "files are never read from disk"),
        ("/data/upload/%2e%2e/%2e%2e/api/projects/", "files are never read from disk"),
        ("/data/upload/%252e%252e/api/", "files are never read from disk"),
        ("/data/upload/..\\..\\api/", "files are never read from disk"),
        ("/label-studio-evil/data/x", "files are never read from disk"),
        ("/api/projects/1/export", "files are never read from disk"),
        ("C:\\photos\\a.png", "has the scheme c:"),
        ("ftp://images.example/a.png", "has the scheme ftp:"),
        ("javascript:alert(1)", "has the scheme javascript:"),
        ("s3://bucket/a.png", "lies in cloud storage, and the task that it belongs to is not known"),
        ("GS://bucket/a.png", "lies in cloud storage"),
        ("s3n://bucket/a.png", "has the scheme s3n:"),
        ("//images.example/a.png", "is no address"),
        ("photo.jpg", "is no address"),
        ("", "is no address"),
        ("http://", "no address that can be fetched"),
        ("http:///a.png", "no address that can be fetched"),
        ("http://[::1", "is no valid address"),
        ("http://images.example:99999/", "is no valid address"),
        ("http://images.example:0/", "is no valid address"),
        ("http://images.example/" + "a" * 9000, "has 9022 characters"),
    ],
)
def test_values_that_are_refused_with_a_sentence(value: str, sentence: str) -> None:
    with pytest.raises(MediaError, match=sentence):
        locate(value, BELOW)


def test_a_path_of_label_studio_needs_a_pinned_one() -> None:
    with pytest.raises(MediaError, match="none is pinned"):
        locate("/data/upload/1/a.png", None)


@pytest.mark.parametrize(
    "url",
    [
        "https://ls.example/label-studio/data/upload/1/a.png",
        "https://LS.example.:443/label-studio/data/local-files/?d=a.png",
        "https://ls.example/label-studio/tasks/7/presign/?fileuri=czM6",
        "https://someone@ls.example/label-studio/data/upload/1/a.png",
    ],
)
def test_the_token_goes_to_media_of_the_pinned_label_studio(url: str) -> None:
    assert carries_token(httpx.URL(url), BELOW)


@pytest.mark.parametrize(
    "url",
    [
        "http://ls.example/label-studio/data/upload/1/a.png",
        "https://ls.example:8443/label-studio/data/upload/1/a.png",
        "https://ls.example/data/upload/1/a.png",
        "https://ls.example/label-studio-evil/data/upload/1/a.png",
        "https://ls.example/label-studio/api/users/",
        "https://ls.example/label-studio/data/%2e%2e/api/users/",
        "https://ls.example/label-studio/data/%252e%252e/api/users/",
        "https://ls.example.evil.example/label-studio/data/upload/1/a.png",
        "https://ls.example@evil.example/label-studio/data/upload/1/a.png",
        "https://evil.example/label-studio/data/upload/1/a.png",
    ],
)
def test_the_token_goes_nowhere_else(url: str) -> None:
    assert not carries_token(httpx.URL(url), BELOW)
    assert not carries_token(httpx.URL(url), None)


def test_messages_hold_no_secrets_and_no_megabytes() -> None:
    assert shown("https://me:secret@host.example/a?signature=secret") == "https://host.example/a?…"
    assert shown("https://ls.example/tasks/7/presign/?fileuri=%FF") == "https://ls.example/tasks/7/presign/?…"
    assert shown("/data/local-files/?d=a.png") == "/data/local-files/?d=a.png"
    assert len(shown("data:image/png;base64," + "A" * 10_000)) < 50
    assert len(shown("https://host.example/" + "a" * 10_000)) == 160
