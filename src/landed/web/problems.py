"""Errors as HTTP: one table gives the status, and every error has one shape, `application/problem+json` (RFC 9457)."""

import traceback
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from pathlib import Path
from typing import Any, Final, cast

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from landed.domain import errors
from landed.domain.errors import LandedError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 2

#: The most special class that an error is of decides; what is not here is a fault of ours.
STATUSES: Final[Mapping[type[LandedError], HTTPStatus]] = {
    errors.InputInvalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.RequestTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.RecipientsRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAllowed: HTTPStatus.UNAUTHORIZED,  # 403 for a key that is known
    errors.SignatureInvalid: HTTPStatus.FORBIDDEN,
    errors.CallerNotAllowed: HTTPStatus.FORBIDDEN,
    errors.CallbackTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.CallbackRejected: HTTPStatus.BAD_REQUEST,
    errors.CallbackNotUnderstood: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.AddressesUnresolved: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SendFailed: HTTPStatus.BAD_GATEWAY,
    errors.ProviderUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ProviderThrottled: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.RequestRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.VerifyLimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}

#: What an error may know besides, and a problem shows.
_MORE: Final = ("field", "our_id", "provider_code", "limit", "session_status")

_log = structlog.get_logger()
_OURS: Final = f"{Path(__file__).parents[1]}/"
_LINES_MAX: Final = 8


class FieldProblem(BaseModel):
    field: str
    detail: str


#: How pydantic calls the branches of what may be one thing or another.
_TYPES: Final = frozenset({"str", "int", "float", "bool", "dict", "list"})


class Problem(BaseModel):
    """What every error says. `code` is for programs and never changes; `detail` is for people."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["input_invalid", "not_found", "not_allowed", "store_unavailable"])
    field: str | None = Field(default=None, description="what the caller got wrong, as the caller wrote it")
    errors: list[FieldProblem] | None = Field(default=None, description="each field, where several are wrong")
    our_id: str | None = Field(default=None, description="of the thing whose outcome is unknown")
    provider_code: str | None = Field(default=None, description="what the provider said, in its own codes")
    limit: str | None = Field(default=None, description="which limit is reached")
    session_status: str | None = Field(default=None, description="where the verify session stands")


def described(status: int) -> dict[str, Any]:
    """An answer with a problem, as a router's `responses` take it."""
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


#: For routers: what else their answers may be.
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {status: described(status) for status in (401, 403, 404, 422, 503)}


def status_of(error: LandedError) -> HTTPStatus:
    if isinstance(error, errors.NotAllowed) and error.known:
        return HTTPStatus.FORBIDDEN
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[cast("type[LandedError]", kind)]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def response(error: LandedError) -> Response:
    """The answer for an error raised on purpose. Of a fault of ours it tells no detail."""
    status = status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal_error()
    headers: dict[str, str] = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry-After"] = str(ceil(getattr(error, "retry_after_s", None) or RETRY_AFTER_S))
    more = {name: getattr(error, name, None) for name in _MORE}
    if isinstance(error, errors.RecipientsRefused):
        more |= {"field": "to", "errors": [FieldProblem(field="to", detail=reason) for reason in error.reasons]}
    return _response(status, error.code, str(error), headers=headers, **more)


def internal_error() -> Response:
    return _response(
        HTTPStatus.INTERNAL_SERVER_ERROR, LandedError.code, "Something went wrong on our side; the log has the details."
    )


def plain(status: HTTPStatus, code: str, detail: str) -> Response:
    """The same shape for what is no error of ours."""
    return _response(status, code, detail)


def install(app: FastAPI) -> None:
    """Give every error of the application this shape, the framework's own too."""

    @app.exception_handler(LandedError)
    async def landed_error(request: Request, error: LandedError) -> Response:
        return response(error)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> Response:
        found = [_field_problem(each) for each in error.errors()]
        return _response(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            errors.InputInvalid.code,
            " ".join(f"`{each.field}`: {each.detail}." for each in found[:5]),
            field=found[0].field if found else None,
            errors=found,
        )

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework could not read the body
            said = "The body is no JSON in UTF-8, is nested too deeply, or has a number that is too long."
            return _response(HTTPStatus.UNPROCESSABLE_ENTITY, errors.InputInvalid.code, said, field="body")
        code = status.phrase.lower().replace(" ", "_").replace("-", "_")
        detail = (
            "There is nothing here; /docs lists what there is."
            if error.status_code == HTTPStatus.NOT_FOUND
            else str(error.detail)
        )
        return _response(status, code, detail, headers=error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        log_unexpected("request_failed", request.scope, error)
        return internal_error()


def log_unexpected(event: str, scope: Scope, error: BaseException) -> None:
    """What failed, and the lines of ours it went through. Neither its path nor its message: they may hold numbers."""
    kinds, cause = [type(error).__name__], error.__cause__
    while cause is not None:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_OURS)]
    _log.error(
        event,
        method=scope.get("method"),
        route=getattr(scope.get("route"), "path", None),
        error=" from ".join(kinds),
        lines=[f"{frame.filename.removeprefix(_OURS)}:{frame.lineno}" for frame in frames[-_LINES_MAX:]],
    )


def _field_problem(error: Mapping[str, Any]) -> FieldProblem:
    where, *path = error["loc"]
    if error["type"] == "json_invalid":
        why = error.get("ctx", {}).get("error", error["msg"])
        return FieldProblem(field="body", detail=f"It is no JSON: {why} at character {path[0]}")
    detail = str(error["msg"]).removeprefix("Value error, ")
    if where != "body":
        return FieldProblem(field=str(path[0]) if path else str(where), detail=detail)
    # Among the names are those of types, where one of several would do: `to.list[str].1`.
    place = [str(part) for index, part in enumerate(path) if index in (0, len(path) - 1) or not _is_of_a_type(part)]
    if len(place) > 1 and _is_of_a_type(path[-1]):
        place.pop()
    return FieldProblem(field=".".join(place) or str(where), detail=detail)


def _is_of_a_type(part: int | str) -> bool:
    return isinstance(part, str) and (part in _TYPES or "[" in part)


def _response(
    status: HTTPStatus, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    problem = Problem(type="about:blank", title=status.phrase, status=status, detail=detail, code=code, **more)
    return Response(
        orjson.dumps(problem.model_dump(exclude_none=True)), status, dict(headers or {}), media_type=MEDIA_TYPE
    )
