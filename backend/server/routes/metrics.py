"""`/metrics` for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from backend.server.calls import CallsOfApp

router = APIRouter()


@router.get("/metrics")
async def metrics(request: Request, calls: CallsOfApp) -> Response:
    text = await calls.quick(request.app.state.metrics.exposition)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
