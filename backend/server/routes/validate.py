"""`/validate`: whether a labelling config holds something that can be learnt."""

from __future__ import annotations

from fastapi import APIRouter

from backend.labelstudio.payloads import ValidateRequest, parse
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import CallsOfApp

router = APIRouter()


@router.post("/validate")
async def validate(body: JsonBody, calls: CallsOfApp) -> Answer:
    config = await calls.quick(calls.services.validate, parse(ValidateRequest, body).config)
    controls = [{"name": control.name, "tag": control.tag, "to_name": control.to_name} for control in config.controls]
    return Answer({"status": "ok", "controls": controls, "skipped": list(config.skipped)})
