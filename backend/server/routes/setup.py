"""`/setup`: Label Studio introduces a project, and asks which version answers for it. Nothing is loaded."""

from __future__ import annotations

from fastapi import APIRouter

from backend.labelstudio.payloads import SetupRequest, parse
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import CallsOfApp

router = APIRouter()


@router.post("/setup")
async def setup(body: JsonBody, calls: CallsOfApp) -> Answer:
    wanted = parse(SetupRequest, body)
    version = await calls.quick(
        calls.services.setup, wanted.project, wanted.label_config, wanted.hostname, wanted.extra_params
    )
    return Answer({"model_version": version})
