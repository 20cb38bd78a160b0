"""`/webhook`: something changed. An annotator's request waits for the answer, so it is only noted here."""

from __future__ import annotations

from fastapi import APIRouter

from backend.labelstudio.payloads import WebhookEvent, parse
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import CallsOfApp

router = APIRouter()


@router.post("/webhook")
async def webhook(body: JsonBody, calls: CallsOfApp) -> Answer:
    event = parse(WebhookEvent, body)
    outcome = await calls.quick(calls.services.event, event.action, body)
    # 201 for what changes nothing, too: that is what senders of the reference backend's protocol expect.
    answer = {"status": "accepted" if outcome.accepted else "ignored", "message": outcome.message}
    if outcome.job is not None:
        answer["job"] = outcome.job
    return Answer(answer, 201)
