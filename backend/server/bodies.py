"""Reading request bodies: bounded in bytes, then JSON."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from backend.errors import InvalidRequest
from backend.labelstudio.payloads import read_json

MAX_BYTES = 256 * 1024**2
"""Largest body that is read. Label Studio sends every selected task in one `/predict`, data URIs included, and
takes uploads up to 250 MB itself."""


class TooLarge(InvalidRequest):
    """A body over the limit."""


async def read_body(request: Request) -> Any:
    """The JSON in the request's body. Raises `TooLarge` and `InvalidRequest`."""
    return read_json(await _read(request, request.app.state.max_body_bytes))


JsonBody = Annotated[Any, Depends(read_body)]
"""What a handler declares to get its request's JSON, of whatever shape: `payloads.parse` says what is wrong with it."""


async def _read(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body should have at most {limit} bytes, got more. Send fewer tasks in one request.")
