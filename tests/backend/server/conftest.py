"""An app over the stand-in services, and a client for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from backend.app import create_app
from backend.settings import Settings
from tests.backend.server.stand_in import StandInServices


@pytest.fixture
def services() -> StandInServices:
    return StandInServices()


@pytest.fixture
def client(services: StandInServices) -> Iterator[TestClient]:
    # Unexpected errors are to be seen as a client sees them.
    with TestClient(create_app(Settings(), services), raise_server_exceptions=False) as client:
        yield client
