"""The extra params of a backend in Label Studio: how the project wants to be trained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.errors import InvalidRequest
from backend.jobs.collaborators import build_collaborators
from backend.projects.identity import Uid
from backend.services import Services
from backend.settings import Settings

UID = Uid("1.1795149789")
HOST = "http://localhost:8080"
CONFIG = (
    '<View><Image name="image" value="$image"/>'
    '<RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels></View>'
)


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(data_dir=tmp_path, redis_url=SecretStr(redis_url))


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    made = Services(settings)
    yield made
    made.close()


def test_they_are_recorded_and_other_ones_train_anew(services: Services, settings: Settings) -> None:
    records = build_collaborators(settings).records
    services.setup(UID, CONFIG, HOST, '{"epochs": 5, "box": {"lr": 0.1}}')
    assert records.get(UID).parameters == {"epochs": 5, "box": {"lr": 0.1}}
    services.queue.begin(UID)
    services.setup(UID, CONFIG, HOST, {"epochs": 5, "box": {"lr": 0.1}})
    assert services.queue.due() == {}, "the same ones"
    services.setup(UID, CONFIG, HOST, None)
    assert records.get(UID).parameters == {}
    assert list(services.queue.due()) == [UID]


def test_wrong_ones_are_refused_and_nothing_is_recorded(services: Services, settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match="wanted a JSON object"):
        services.setup(UID, CONFIG, HOST, "epochs=5")
    assert build_collaborators(settings).records.find(UID) is None
