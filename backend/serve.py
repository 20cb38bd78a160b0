"""One server process: uvicorn on a socket that is bound already."""

from __future__ import annotations

import logging
import socket

from backend.errors import PrelabelError
from backend.processors import bound_threads, serving_threads
from backend.settings import Settings

GRACE = 5
"""Seconds that requests in flight have to finish when the server is told to stop."""


class AddressInUse(PrelabelError):
    """Somebody else listens where we should."""


def listen(settings: Settings) -> socket.socket:
    """Bind the server's address. All server processes share the socket, and it outlives each of them.

    So while a killed server starts again, requests wait in the socket's queue instead of being refused.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise AddressInUse(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}). Stop what uses that port, "
            "or choose another with --port or PRELABEL_PORT."
        ) from None
    return listening


def run_server(settings: Settings, listening: socket.socket) -> None:
    """Answer requests on `listening` until SIGTERM or SIGINT."""
    bound_threads(settings.torch_threads or serving_threads())
    import uvicorn

    from backend.app import create_app

    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=settings.log_level == "DEBUG",
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    # The app says where it is reachable; uvicorn would say it once more for each process.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = uvicorn.Server(config)
    app.state.feed.stopping = lambda: server.should_exit
    server.run(sockets=[listening])
