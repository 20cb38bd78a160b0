"""`/`: JSON for programs, a page for browsers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from backend.dashboard.pages import HEADERS
from backend.server.answers import Answer
from backend.server.calls import CallsOfApp

router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"])
async def status(request: Request, calls: CallsOfApp) -> Response:
    facts = await calls.quick(calls.services.status)
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(request.app.state.pages.status(facts), headers=dict(HEADERS))
    return Answer(facts, headers={"Vary": "Accept", "Cache-Control": "no-store"})
