"""`/predict`: one entry a task, in order, always."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from backend.labelstudio.payloads import PredictRequest, parse
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import Calls, CallsOfApp

router = APIRouter()


@router.post("/predict")
async def predict(body: JsonBody, calls: CallsOfApp) -> Answer:
    wanted = parse(PredictRequest, body)
    results: list[dict[str, Any]] = []
    if wanted.tasks:
        call = calls.long if wanted.context is None else calls.click
        results = await call(calls.services.predict, wanted.project, wanted.label_config, wanted.tasks, wanted.context)
    return Answer({"results": results, "model_version": await _version(calls, wanted.project, results)})


async def _version(calls: Calls, uid: str | None, results: list[dict[str, Any]]) -> str | None:
    """The version that answered: a swap may have happened since, so the answers themselves come first."""
    if results:
        version: str | None = results[0].get("model_version")
        return version
    return await calls.quick(calls.services.model_version, uid) if uid is not None else None
