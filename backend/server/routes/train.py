"""`/train`: train now. Label Studio itself posts START_TRAINING to `/webhook`; this is for scripts and older ones."""

from __future__ import annotations

from fastapi import APIRouter

from backend.labelstudio.payloads import TrainRequest, parse
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import CallsOfApp

router = APIRouter()


@router.post("/train")
async def train(body: JsonBody, calls: CallsOfApp) -> Answer:
    job = await calls.quick(calls.services.train, parse(TrainRequest, body).project)
    return Answer({"job": job.id, "job_status": job.state.value}, 201)
