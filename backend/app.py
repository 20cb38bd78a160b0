"""Builds the HTTP server's application from settings: `create_app` is all that a server process needs."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from backend.dashboard.pages import STATIC, Pages
from backend.labelstudio.connection import is_loopback, recall
from backend.server.auth import Credentials, Guard
from backend.server.bodies import MAX_BYTES
from backend.server.calls import Calls
from backend.server.errors import map_errors
from backend.server.feed import JobFeed
from backend.server.metrics import Metrics, Stopwatch
from backend.server.protocol import ServicesProtocol
from backend.server.routes import ROUTERS
from backend.settings import Settings

log = logging.getLogger(__name__)


def create_app(settings: Settings, services: ServicesProtocol | None = None) -> FastAPI:
    """The application. `services` starts and stops with it; without one the real `Services` is built.

    Everything that the app holds is its own, so that several apps with different settings live in one process.
    """
    if services is None:
        # Imported here, so that the routes can be built and tested without the rest.
        from backend.services import Services

        services = Services(settings)
    warn_if_open(settings)
    # No generated documentation: its pages load scripts from elsewhere.
    app = FastAPI(title=settings.title, docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan(services))
    metrics = Metrics(services)
    app.state.services = services
    app.state.calls = Calls(services)
    app.state.metrics = metrics
    app.state.pages = Pages()
    app.state.feed = JobFeed(app.state.calls)
    app.state.max_body_bytes = MAX_BYTES
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    map_errors(app)
    app.add_middleware(Guard, credentials=Credentials(settings, webhook_secret(settings)))
    app.add_middleware(Stopwatch, metrics=metrics)
    return app


def _lifespan(services: ServicesProtocol) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_sync(services.start)
        try:
            yield
        finally:
            await run_sync(services.close)

    return lifespan


def webhook_secret(settings: Settings) -> Callable[[], str | None]:
    """Reads the secret that `connect` put into the webhook's header, anew at each call: it may be renewed meanwhile."""

    def read() -> str | None:
        connection = recall(settings)
        return connection.webhook_secret if connection is not None else None

    return read


def warn_if_open(settings: Settings) -> None:
    """Log a warning when anybody on the network may call this server without a password."""
    if settings.password is None and not is_loopback(settings.host):
        log.warning(
            "Listening on %s without a password: anybody who reaches port %d may read predictions and start trainings. "
            "Set PRELABEL_USERNAME and PRELABEL_PASSWORD, or listen on 127.0.0.1.",
            settings.host,
            settings.port,
        )
