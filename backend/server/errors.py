"""The one map from domain errors to HTTP. Tracebacks go to the log; clients get a sentence."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from uuid import uuid4

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from backend import errors
from backend.server.answers import Answer, refusal
from backend.server.bodies import TooLarge
from backend.server.feed import TooManyListeners

log = logging.getLogger(__name__)

STATUS: Mapping[type[errors.PrelabelError], HTTPStatus] = {
    errors.PrelabelError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SettingsError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidRequest: HTTPStatus.BAD_REQUEST,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.InvalidConfig: HTTPStatus.BAD_REQUEST,
    errors.Unauthorized: HTTPStatus.UNAUTHORIZED,
    errors.Untrusted: HTTPStatus.FORBIDDEN,
    errors.UnknownProject: HTTPStatus.NOT_FOUND,
    errors.UnknownVersion: HTTPStatus.NOT_FOUND,
    # Label Studio takes 410 as "the job was removed".
    errors.UnknownJob: HTTPStatus.GONE,
    errors.TaskUnusable: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreDamaged: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Superseded: HTTPStatus.CONFLICT,
    errors.LabelStudioError: HTTPStatus.BAD_GATEWAY,
    errors.QueueUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NothingToLearn: HTTPStatus.CONFLICT,
    TooManyListeners: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""A class that is not listed is answered as its nearest base."""

_HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Basic realm="Prelabel", charset="UTF-8"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "5"},
}


def answer_error(error: errors.PrelabelError) -> Answer:
    """The answer that a client gets for `error`."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return refusal(status, str(error), _HEADERS.get(status))


def map_errors(app: FastAPI) -> None:
    """Make `app` answer every error with a sentence."""
    app.add_exception_handler(errors.PrelabelError, _domain_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(Exception, _unexpected_error)


async def _domain_error(request: Request, error: Exception) -> Answer:
    assert isinstance(error, errors.PrelabelError)  # noqa: S101 -- what this handler is registered for
    answer = answer_error(error)
    level = logging.ERROR if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.WARNING
    log.log(level, "%s %s: %d: %s", request.method, request.url.path, answer.status_code, error)
    return answer


async def _http_error(request: Request, error: Exception) -> Answer:
    assert isinstance(error, HTTPException)  # noqa: S101 -- what this handler is registered for
    path = request.url.path
    sentence = {
        HTTPStatus.NOT_FOUND: f"Got {path}, which is not served here. Give Label Studio this server's address alone.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"Got {request.method} for {path}, which takes another method.",
    }.get(HTTPStatus(error.status_code), str(error.detail))
    return refusal(error.status_code, sentence, dict(error.headers) if error.headers else None)


async def _validation_error(request: Request, error: Exception) -> Answer:
    assert isinstance(error, RequestValidationError)  # noqa: S101 -- what this handler is registered for
    problems = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
    return refusal(HTTPStatus.BAD_REQUEST, f"Got a request that cannot be used: {problems}.")


async def _client_gone(request: Request, error: Exception) -> Answer:
    log.info("%s %s: the client left before its request was complete.", request.method, request.url.path)
    return refusal(HTTPStatus.BAD_REQUEST, "Got half a request.")  # nobody reads it


async def _unexpected_error(request: Request, error: Exception) -> Answer:
    reference = uuid4().hex[:8]
    log.error("%s %s failed, reference %s", request.method, request.url.path, reference, exc_info=error)
    return refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"Something in Prelabel went wrong that should not have. Look for {reference} in its log, and report it.",
    )
