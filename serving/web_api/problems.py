"""Refusals as RFC 9457 problem details: one shape for everything that goes wrong."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.lifecycle.stages import Stage
from serving.errors import FieldProblem, InvalidBodyError, RefusedError
from serving.faults import describe_fault
from serving.web_api.paths import find_asked

PROBLEM_TYPE = "urn:baton:problem:"
MEDIA_TYPE = "application/problem+json"
MOST_FIELD_PROBLEMS = 20
"""A payload wrong in the same way a thousand times needs to be told so twenty times."""

MOST_ERRORS_BUILT = 200
"""Errors put into words to find those twenty: each takes a thousand times the room of its cause."""

log = structlog.get_logger(__name__)


class FieldProblemOut(BaseModel):
    """One thing wrong with one field of a payload."""

    path: str = Field(description="Where, e.g. `events[2].occurred_at`.")
    problem: str = Field(description="What is wrong.")
    fix: str = Field(description="What to send instead.")


class Problem(BaseModel):
    """Why a request was refused and what to do (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:baton:problem:invalid-body",
                    "title": "The payload is not valid",
                    "status": 422,
                    "detail": "created_at: the time has no zone",
                    "fix": "Correct the fields listed under `errors` and send it again.",
                    "errors": [
                        {
                            "path": "created_at",
                            "problem": "the time has no zone",
                            "fix": "Add one, e.g. 2026-03-01T09:00:00Z.",
                        }
                    ],
                    "instance": "/v1/score",
                }
            ]
        }
    )
    type: str = Field(description="Names the kind of problem; stable, to be compared by programs.")
    title: str
    status: int
    detail: str = Field(description="What happened, for people.")
    fix: str | None = Field(None, description="What the caller can do.")
    errors: list[FieldProblemOut] | None = Field(None, description="The fields that are wrong.")
    instance: str | None = Field(None, description="The path that was asked.")
    log_id: str | None = Field(None, description="Quote it when reporting a fault of the server.")


def shape_refusal(refusal: RefusedError, instance: str | None = None) -> dict[str, Any]:
    """Shape a refusal as a problem."""
    problem: dict[str, Any] = {
        "type": PROBLEM_TYPE + refusal.slug,
        "title": refusal.title,
        "status": refusal.status,
        "detail": str(refusal),
    }
    if refusal.fix:
        problem["fix"] = refusal.fix
    if refusal.errors:
        problem["errors"] = refusal.errors
    if instance is not None:
        problem["instance"] = instance
    return problem


def build_problem_response(
    problem: dict[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Build the response that carries a problem."""
    return Response(
        msgspec.json.encode(problem),
        status_code=problem["status"],
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def refuse(refusal: RefusedError, instance: str) -> Response:
    """Build the response to a refused request."""
    headers = dict(refusal.headers)
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return build_problem_response(shape_refusal(refusal, instance), headers)


_WORDS: dict[str, tuple[str, str]] = {
    "missing": ("is missing", "Add the field."),
    "extra_forbidden": (
        "is not a field of this record",
        "Remove it; facts about the lead, such as its industry, go into `attributes`.",
    ),
    "unexpected_keyword_argument": ("is not a field of this record", "Remove it."),
    "moment_too_early": ("is too far in the past to be right", "Check the year of the time."),
    "moment_too_late": ("is too far in the future to be right", "Check the year of the time."),
    "timezone_aware": ("the time has no zone", "Add one, e.g. 2026-03-01T09:00:00Z."),
    "json_invalid": ("the body is not JSON", "Check it with a JSON checker; encode it as UTF-8."),
    "finite_number": ("is not a finite number", "Send a number, or null if it is not known."),
    "string_type": ("is not text", "Send text in quotes."),
    "float_type": ("is not a number", "Send a number without quotes."),
    "float_parsing": ("is not a number", "Send a number without quotes."),
    "too_long": ("has too many entries", "Send fewer; leave out the oldest."),
    "list_type": ("is not a list", "Send a list: [...]."),
    "dict_type": ("is not an object", "Send an object: {...}."),
    "model_type": ("is not an object", 'Send an object: {"lead_id": ..., "created_at": ...}.'),
    "dataclass_type": ("is not an object", "Send an object: {...}."),
    "enum": ("is none of the stages", f"Use one of: {', '.join(Stage)}."),
    "string_too_long": ("is too long", "Send at most 500 characters."),
    "string_too_short": ("is empty", "Send at least one character."),
}
_TIME_FIX = "Send a time with its zone, e.g. 2026-03-01T09:00:00Z."


def _format_path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def format_field_problem(error: ErrorDetails | dict[str, Any]) -> FieldProblem:
    """Say one validation error in plain words, without repeating the value that was sent."""
    kind, location = str(error["type"]), tuple(error["loc"])
    value_at = location.index("attributes") + 2 if "attributes" in location else len(location)
    if len(location) > value_at:
        # One error per type the value could have had: together they mean this.
        fix = "Send text, a number, true, false, or null."
        return FieldProblem(_format_path(location[:value_at]), "is not a plain value", fix)
    path = _format_path(location)
    if kind in _WORDS:
        problem, fix = _WORDS[kind]
    elif kind.startswith(("datetime", "date_")):
        problem, fix = "is not a time", _TIME_FIX
    elif kind == "value_error":
        context: Any = error.get("ctx", {}).get("error", "is not valid")
        problem, fix = str(context), "See the description of the field in /docs."
    else:
        words = str(error["msg"])
        problem = words[:1].lower() + words[1:]
        fix = "See the description of the field in /docs."
    return FieldProblem(path, problem, fix)


def describe_validation_error(error: ValidationError) -> InvalidBodyError:
    """Turn pydantic's errors into a refusal."""
    if error.error_count() > MOST_ERRORS_BUILT:
        problem = f"{error.error_count():,} fields are not as agreed"
        fix = "Compare the names of the fields with GET /docs; begin with one event."
        return InvalidBodyError((FieldProblem("", problem, fix),))
    found = error.errors(include_url=False, include_input=False)
    problems = dict.fromkeys(format_field_problem(one) for one in found)
    return InvalidBodyError(tuple(problems)[:MOST_FIELD_PROBLEMS])


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 - registered for this class only
    return refuse(error, find_asked(request.scope))


async def _on_query_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    found = tuple(format_field_problem(one) for one in error.errors()[:MOST_FIELD_PROBLEMS])
    return refuse(InvalidBodyError(found), find_asked(request.scope))


def _list_methods(request: Request) -> list[str]:
    """List what may be done at an address: the framework names the methods of its first route only."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if compile_path(str(route.path))[0].match(request.scope["path"]):
            found.update(route.methods or ())
    return sorted(found)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    title = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    detail, fix = str(error.detail), "GET /docs lists what there is."
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = "Nothing lives at this address."
    elif error.status_code == HTTPStatus.BAD_REQUEST:
        # Of the framework, where it reads a body itself: the same refusal as of those we read.
        problems = (FieldProblem("", *_WORDS["json_invalid"]),)
        return refuse(InvalidBodyError(problems), find_asked(request.scope))
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers["Allow"] = ", ".join(_list_methods(request)) or "another method"
        detail, fix = f"{request.method} is not answered here.", f"Use {allowed}."
    problem = {
        "type": PROBLEM_TYPE + title.lower().replace(" ", "-"),
        "title": title,
        "status": error.status_code,
        "detail": detail,
        "fix": fix,
        "instance": find_asked(request.scope),
    }
    return build_problem_response(problem, headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Have every refusal, of ours or of the framework, answered as a problem."""
    app.add_exception_handler(RefusedError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_query_error)
    app.add_exception_handler(HTTPException, _on_http_error)


class FaultMiddleware:
    """Answers our own faults with a problem that names a log entry and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; catch what nobody caught."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_noting_start)
        except Exception as error:  # the edge of the server: no fault may leak out
            log_id = secrets.token_hex(8)
            log.error(  # noqa: TRY400 - a traceback's values may be personal
                "request_failed",
                log_id=log_id,
                path=find_asked(scope),
                **describe_fault(error),
            )
            if started:
                raise
            problem = {
                "type": PROBLEM_TYPE + "server-fault",
                "title": "The server failed",
                "status": 500,
                "detail": "This is a fault of the server, not of the request.",
                "fix": "Report it with the log_id; the server's log has the details.",
                "instance": find_asked(scope),
                "log_id": log_id,
            }
            await build_problem_response(problem)(scope, receive, send)
