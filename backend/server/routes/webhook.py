"""`/webhook`: something changed. An annotator's request waits for the answer, so it is only noted here."""

from __future__ import annotations

from fastapi import APIRouter, Request

from backend.labelstudio.payloads import WebhookEvent, parse
from backend.labelstudio.webhook import PROJECT_HEADER, with_project
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import CallsOfApp

router = APIRouter()


@router.post("/webhook")
async def webhook(body: JsonBody, request: Request, calls: CallsOfApp) -> Answer:
    body = with_project(body, request.headers.get(PROJECT_HEADER))
    event = parse(WebhookEvent, body)
    outcome = await calls.quick(calls.services.event, event.action, body)
    # 201 for what changes nothing, too: that is what senders of the reference backend's protocol expect.
    answer = {"status": "accepted" if outcome.accepted else "ignored", "message": outcome.message}
    if outcome.job is not None:
        answer["job"] = outcome.job
    return Answer(answer, 201)
