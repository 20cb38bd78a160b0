"""`/delete` and `/duplicate_model`: a project's models end, or begin as copies of another's."""

from __future__ import annotations

from fastapi import APIRouter

from backend.labelstudio.payloads import DeleteRequest, DuplicateRequest, parse
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import CallsOfApp

router = APIRouter()


@router.post("/delete")
async def delete(body: JsonBody, calls: CallsOfApp) -> Answer:
    uid = parse(DeleteRequest, body).project
    await calls.long(calls.services.delete, uid)
    return Answer({"status": "deleted", "project": uid})


@router.post("/duplicate_model")
async def duplicate_model(body: JsonBody, calls: CallsOfApp) -> Answer:
    wanted = parse(DuplicateRequest, body)
    await calls.long(calls.services.duplicate, wanted.project_src, wanted.project_dst)
    return Answer({"status": "duplicated", "project": wanted.project_dst})
