from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection
from tests.label_studio import LabelStudioInstance


@pytest.fixture
def client(label_studio: LabelStudioInstance) -> Iterator[LabelStudio]:
    """Our client with a personal access token."""
    with LabelStudio(Connection(label_studio.url, label_studio.api_key)) as client:
        yield client
