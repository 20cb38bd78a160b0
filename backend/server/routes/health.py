"""Whether this process is alive. Asks nobody, so that it answers while everything else is busy or away."""

from __future__ import annotations

from fastapi import APIRouter

from backend.server.answers import Answer

router = APIRouter()

MODEL_CLASS = "Prelabel"


@router.api_route("/health", methods=["GET", "HEAD"])
async def health() -> Answer:
    return Answer({"status": "UP", "model_class": MODEL_CLASS})
