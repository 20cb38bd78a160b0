"""The header that the pinned Label Studio's media want, without exchanging a token for every file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from backend.labelstudio.client import LabelStudio
from backend.labelstudio.connection import Connection


class Authorization:
    """Gives the header of the Label Studio that is pinned at the moment; keeps one client, and so its access token.

    Safe for use by many threads. Raises `LabelStudioError` when the token is not accepted.
    """

    def __init__(self, connection: Callable[[], Connection | None]) -> None:
        self._connection = connection
        self._client: LabelStudio | None = None
        self._guard = threading.Lock()

    def __call__(self) -> Mapping[str, str]:
        connection = self._connection()
        if connection is None or not connection.api_key:
            return {}
        return self._client_of(connection).authorization_header()

    def close(self) -> None:
        with self._guard:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _client_of(self, connection: Connection) -> LabelStudio:
        with self._guard:
            if self._client is None or self._client.connection != connection:
                # The old one is left to its users in other threads, and closed once nobody has it.
                self._client = LabelStudio(connection, timeout=10.0)
            return self._client
