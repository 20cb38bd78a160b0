"""One file a noun of the protocol; `ROUTERS` is the table of contents."""

from __future__ import annotations

from fastapi import APIRouter

from backend.server.routes import (
    health,
    jobs,
    lineage,
    metrics,
    predict,
    projects,
    setup,
    status,
    train,
    validate,
    versions,
    webhook,
)

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    status.router,
    setup.router,
    predict.router,
    webhook.router,
    train.router,
    jobs.router,
    versions.router,
    lineage.router,
    validate.router,
    projects.router,
    metrics.router,
)
