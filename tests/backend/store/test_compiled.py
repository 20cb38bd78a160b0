from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.store.artifacts import Artifacts
from backend.store.compiled import CompiledForms
from backend.store.objects import ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "store")


@pytest.fixture
def forms(store: ObjectStore) -> CompiledForms:
    return CompiledForms(store, Artifacts(store), kept=2)


def form(tmp_path: Path, content: str) -> Path:
    folder = tmp_path / f"form-{content}"
    folder.mkdir()
    (folder / "model.xml").write_text(content)
    return folder


def test_what_was_put_is_found_by_its_key(forms: CompiledForms, tmp_path: Path) -> None:
    assert forms.find("a" * 64) is None
    forms.put("a" * 64, form(tmp_path, "one"))
    found = forms.find("a" * 64)
    assert found is not None
    assert (found / "model.xml").read_text() == "one"


def test_a_damaged_form_is_refused(forms: CompiledForms, tmp_path: Path) -> None:
    forms.put("a" * 64, form(tmp_path, "one"))
    found = forms.find("a" * 64)
    assert found is not None
    (found / "model.xml").write_text("other")
    with pytest.raises(StoreError, match="damaged"):
        forms.find("a" * 64)


def test_the_oldest_go_with_their_artifacts(forms: CompiledForms, store: ObjectStore, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        forms.put(name, form(tmp_path, name))
    assert [forms.find(name) is not None for name in ("one", "two", "three")] == [False, True, True]
    assert len(store.folders("artifacts")) == 2


def test_an_artifact_that_two_keys_share_stays(forms: CompiledForms, tmp_path: Path) -> None:
    folder = form(tmp_path, "same")
    forms.put("one", folder)
    forms.put("two", folder)
    forms.drop("one")
    assert forms.find("one") is None
    assert forms.find("two") is not None
    forms.drop("two")
    forms.drop("two")
    assert forms.find("two") is None
