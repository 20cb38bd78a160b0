"""`/versions`: the versions that a project has."""

from __future__ import annotations

from fastapi import APIRouter, Request

from backend.labelstudio.payloads import VersionsRequest, parse
from backend.projects.identity import Uid, version_number
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import Calls, CallsOfApp

router = APIRouter()


@router.post("/versions")
async def versions_of_project(body: JsonBody, calls: CallsOfApp) -> Answer:
    return await _of(calls, parse(VersionsRequest, body).project)


@router.get("/versions")
async def versions(request: Request, calls: CallsOfApp) -> Answer:
    """Label Studio asks without saying for which project; then the versions of all are named."""
    uid = request.query_params.get("project")
    if uid is not None:
        return await _of(calls, Uid(uid))
    projects = await calls.quick(_by_project, calls)
    names = {name for of_project in projects.values() for name in of_project}
    return Answer({"versions": sorted(names, key=version_number), "projects": projects})


async def _of(calls: Calls, uid: str) -> Answer:
    return Answer({"versions": await calls.quick(calls.services.version_names, uid)})


def _by_project(calls: Calls) -> dict[str, list[str]]:
    uids = [project["uid"] for project in calls.services.status()["projects"]]
    return {uid: calls.services.version_names(uid) for uid in uids}
