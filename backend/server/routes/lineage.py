"""`/api/projects/<uid>/…`: a project's versions in full, and moving the pointer by hand."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from backend.labelstudio.payloads import MoveRequest, parse
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import CallsOfApp

router = APIRouter(prefix="/api/projects/{uid}")

Action = Literal["promote", "rollback", "pin", "unpin"]


@router.get("/versions")
async def lineage(uid: str, calls: CallsOfApp) -> Answer:
    return Answer(await calls.quick(calls.services.lineage, uid))


@router.post("/{action}")
async def move(uid: str, action: Action, body: JsonBody, calls: CallsOfApp) -> Answer:
    """The body is an object; `version` in it may be left out, as in the commands of the same names."""
    return Answer(await calls.long(calls.services.move, uid, action, parse(MoveRequest, body).version))
