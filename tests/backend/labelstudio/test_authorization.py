from __future__ import annotations

from contextlib import closing

import httpx

from backend.labelstudio.authorization import Authorization
from backend.labelstudio.connection import Connection
from tests.label_studio import LabelStudioInstance


def test_the_header_opens_label_studio_and_is_kept(label_studio: LabelStudioInstance) -> None:
    pinned = Connection(label_studio.url, label_studio.api_key)
    with closing(Authorization(lambda: pinned)) as authorization:
        header = authorization()
        answer = httpx.get(f"{label_studio.url}/api/current-user/whoami", headers=dict(header))
        assert answer.status_code == 200
        assert authorization() == header


def test_it_follows_the_connection(label_studio: LabelStudioInstance) -> None:
    current: Connection | None = None
    with closing(Authorization(lambda: current)) as authorization:
        assert authorization() == {}
        current = Connection(label_studio.url)
        assert authorization() == {}
        current = Connection(label_studio.url, "0" * 40)
        assert authorization() == {"Authorization": "Token " + "0" * 40}
        current = Connection(label_studio.url, "1" * 40)
        assert authorization() == {"Authorization": "Token " + "1" * 40}
