"""Segment's tracking API, on its own paths: what libraries of Segment and RudderStack send to."""

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from serving.auth.guard import require
from serving.intake.api.records import With
from serving.intake.api.tools import read_packed_body, take_body
from serving.intake.tools.segment import TYPES
from serving.store.dependencies import InStore
from serving.web_api.dependencies import check_json
from serving.web_api.openapi import describe_answers, describe_body

router = APIRouter(
    prefix="/v1",
    tags=["engagement"],
    dependencies=[require("engagement:send"), Depends(check_json)],
)
PATHS = frozenset(f"/v1/{name}" for name in ("batch", *TYPES))
"""Where bodies may come packed."""

WHEN = "2026-03-05T10:31:00Z"
TRACK = {
    "type": "track",
    "anonymousId": "a-1",
    "event": "Pricing Page Viewed",
    "messageId": "m-1",
    "timestamp": WHEN,
}
ANSWERS = describe_answers("ToolResponse", 401, 413, 415, 422, 503)


@router.post(
    "/batch",
    summary="Send messages of Segment's or RudderStack's libraries",
    response_class=Response,
    openapi_extra=describe_body(
        "SegmentBatch", {"a batch": {"value": {"batch": [TRACK], "sentAt": WHEN}}}
    ),
    responses=ANSWERS,
)
async def batch(request: Request, store: InStore, intake: With) -> Response:
    """Store messages, each once by its `messageId`. An unreadable one does not affect the others."""
    return await take_body(request, store, "segment", intake, await read_packed_body(request))


def _with_type(kind: str, body: bytes) -> bytes:
    """Put the type that the path tells into the message; a body that is no object stays as it is."""
    try:
        sent = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        return body if "batch" in sent else msgspec.json.encode({**sent, "type": kind})
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return body


def _add_route(kind: str) -> None:
    @router.post(
        f"/{kind}",
        summary=f"Send one {kind} message",
        name=kind,
        response_class=Response,
        openapi_extra=describe_body(
            "SegmentMessage", {"a message": {"value": {**TRACK, "type": kind}}}
        ),
        responses=ANSWERS,
    )
    async def one(request: Request, store: InStore, intake: With) -> Response:
        """Store one message; the path gives its type."""
        body = _with_type(kind, await read_packed_body(request))
        return await take_body(request, store, "segment", intake, body)


for _kind in TYPES:
    _add_route(_kind)
