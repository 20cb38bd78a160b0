"""`/api/jobs`: what runs in the background, live; and `/job_status` of the protocol, for one job."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from backend.labelstudio.payloads import JobStatusRequest, parse
from backend.projects.identity import Uid
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import Calls, CallsOfApp

router = APIRouter()

UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""A proxy that collects a stream before it passes it on would make it late."""


@router.post("/job_status")
async def job_status(body: JsonBody, calls: CallsOfApp) -> Answer:
    job = await calls.quick(calls.services.queue.job, parse(JobStatusRequest, body).job)
    return Answer({"job_status": job.state.value, **job.to_json()})


@router.get("/api/jobs")
async def jobs(request: Request, calls: CallsOfApp) -> Answer:
    """All jobs, the newest first; `?project=UID` one project's, `?alive=1` those that run or will run."""
    project = request.query_params.get("project")
    uid = Uid(project) if project is not None else None
    alive = request.query_params.get("alive", "") not in ("", "0", "false")
    found = await calls.quick(calls.services.queue.jobs, uid, alive=alive)
    return Answer({"jobs": [job.to_json() for job in found]})


@router.get("/api/jobs/events")
async def events(request: Request) -> StreamingResponse:
    """Server-sent events: what runs or waits, at once and whenever it changes."""
    stream = request.app.state.feed.listen()
    return StreamingResponse(stream, media_type="text/event-stream", headers=UNBUFFERED)


@router.get("/api/jobs/{identifier}")
async def job(identifier: str, calls: CallsOfApp) -> Answer:
    """One job with the last lines of its log."""
    return Answer(await calls.quick(_described, calls, identifier))


@router.post("/api/jobs/{identifier}/cancel")
async def cancel(identifier: str, calls: CallsOfApp) -> Answer:
    """Stop a job, running or not; what it has published stays. One that has ended stays as it is."""
    await calls.quick(calls.services.queue.cancel, identifier)
    return Answer(await calls.quick(_described, calls, identifier), 202)


def _described(calls: Calls, identifier: str) -> dict[str, Any]:
    queue = calls.services.queue
    return {**queue.job(identifier).to_json(), "log": queue.log(identifier)}
