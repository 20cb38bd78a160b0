"""JSON as it leaves the server."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class Answer(JSONResponse):
    """A JSON body in ASCII: a lone surrogate in somebody's label must not make an answer unencodable."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def refusal(status: int, sentence: str, headers: dict[str, str] | None = None) -> Answer:
    """The one shape of every answer that is not a success."""
    return Answer({"error": sentence, "status": status}, status, headers)
