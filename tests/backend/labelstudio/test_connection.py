from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.errors import SettingsError, Untrusted
from backend.labelstudio.connection import Connection, canonical, learn_hostname, new_secret, recall, remember
from backend.settings import Settings


def settings(data_dir: Path, **given: Any) -> Settings:
    return Settings(**{"data_dir": data_dir, **given})


def test_what_is_remembered_is_recalled_and_private(tmp_path: Path) -> None:
    kept = Connection("http://ls.example/studio/", "key", new_secret())
    remember(tmp_path / "data", kept)

    assert recall(settings(tmp_path / "data")) == kept
    assert kept.url == "http://ls.example/studio"
    (file,) = (tmp_path / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_is_recalled_before_anything_is_pinned(tmp_path: Path) -> None:
    assert recall(settings(tmp_path)) is None


def test_secrets_are_not_shown() -> None:
    assert "key" not in repr(Connection("http://a", "key", "secret")).replace("api_key", "")
    assert "secret" not in repr(Connection("http://a", "key", "secret")).replace("webhook_secret", "")


def test_settings_win_and_a_remembered_token_stays_with_its_address(tmp_path: Path) -> None:
    remember(tmp_path, Connection("http://localhost:8080", "key", "secret"))

    same = recall(settings(tmp_path, label_studio_url="http://127.0.0.1:8080"))
    other = recall(settings(tmp_path, label_studio_url="http://evil.example"))
    own = recall(settings(tmp_path, label_studio_url="http://b.example", label_studio_api_key=SecretStr("mine")))
    key_only = recall(settings(tmp_path, label_studio_api_key=SecretStr("newer")))

    assert same is not None
    assert (same.api_key, same.webhook_secret) == ("key", "secret")
    assert other is not None
    assert other.api_key is None
    assert own is not None
    assert own.api_key == "mine"
    assert key_only is not None
    assert (key_only.url, key_only.api_key) == ("http://localhost:8080", "newer")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"url": 3}'])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "connection.json").write_text(text)
    with pytest.raises(SettingsError, match="prelabel connect"):
        recall(settings(tmp_path))


def test_the_first_hostname_is_believed_on_loopback_and_another_refused(tmp_path: Path) -> None:
    here = settings(tmp_path)

    learnt = learn_hostname(here, "http://ls.example:8080/", "legacy")

    assert learnt == Connection("http://ls.example:8080", "legacy", learnt=True)
    assert recall(here) == learnt
    assert learn_hostname(here, "http://LS.example:8080") == learnt
    for forged in ("http://evil.example:8080", "http://localhost:8080", "https://ls.example:8080"):
        with pytest.raises(Untrusted, match=r"http://ls\.example:8080"):
            learn_hostname(here, forged)
    assert recall(here) == learnt


def test_nothing_is_believed_where_anybody_may_call(tmp_path: Path) -> None:
    with pytest.raises(Untrusted, match="prelabel connect"):
        learn_hostname(settings(tmp_path, host="0.0.0.0"), "http://ls.example")
    assert recall(settings(tmp_path)) is None

    guarded = settings(tmp_path, host="0.0.0.0", username="u", password=SecretStr("p"))
    assert learn_hostname(guarded, "http://ls.example") is not None


def test_a_pinned_address_is_not_changed_by_setup(tmp_path: Path) -> None:
    pinned = settings(tmp_path, label_studio_url="https://ls.example/studio", label_studio_api_key=SecretStr("k"))

    for harmless in ("https://ls.example/studio/", "http://localhost:8080", ""):
        assert learn_hostname(pinned, harmless, "stolen") == Connection("https://ls.example/studio", "k")
    for forged in ("https://ls.example", "http://ls.example/studio", "https://ls.example.evil/studio"):
        with pytest.raises(Untrusted, match="belongs to the Label Studio at"):
            learn_hostname(pinned, forged)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "forged", ["file:///etc/passwd", "ls.example", "http://", "javascript:alert(1)" + "x" * 10_000]
)
def test_what_is_no_address_is_refused(tmp_path: Path, forged: str) -> None:
    with pytest.raises(Untrusted, match="wanted Label Studio's address") as refused:
        learn_hostname(settings(tmp_path), forged)
    assert len(str(refused.value)) < 300


def test_addresses_are_compared_by_what_they_mean() -> None:
    assert canonical("HTTP://LocalHost:80/") == canonical("http://127.0.0.1") == canonical("http://[::1]:80")
    assert canonical("https://a.example") == canonical("https://A.example:443/")
    assert canonical("https://a.example") != canonical("http://a.example")
    assert canonical("http://a.example/x") != canonical("http://a.example")
