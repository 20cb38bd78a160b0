"""`/job_status`: how a job is doing."""

from __future__ import annotations

from fastapi import APIRouter

from backend.labelstudio.payloads import JobStatusRequest, parse
from backend.server.answers import Answer
from backend.server.bodies import JsonBody
from backend.server.calls import CallsOfApp

router = APIRouter()


@router.post("/job_status")
async def job_status(body: JsonBody, calls: CallsOfApp) -> Answer:
    job = await calls.quick(calls.services.queue.job, parse(JobStatusRequest, body).job)
    return Answer({"job_status": job.state.value, **job.to_json()})
