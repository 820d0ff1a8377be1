"""Snowplow's collector, on its own path: what trackers post to."""

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from serving.auth.guard import require
from serving.intake.api.records import With
from serving.intake.api.tools import read_packed_body, take_body
from serving.store.dependencies import InStore
from serving.web_api.dependencies import check_json
from serving.web_api.openapi import describe_answers, describe_body

PATH = "/com.snowplowanalytics.snowplow/tp2"
SCHEMA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
EVENT = {"e": "pv", "url": "https://acme.example/pricing", "duid": "d-1", "eid": "e-1"}

router = APIRouter(
    tags=["engagement"], dependencies=[require("engagement:send"), Depends(check_json)]
)


@router.post(
    PATH,
    summary="Send events of Snowplow's trackers",
    response_class=Response,
    openapi_extra=describe_body(
        "SnowplowBatch", {"a page view": {"value": {"schema": SCHEMA, "data": [EVENT]}}}
    ),
    responses=describe_answers("ToolResponse", 401, 413, 415, 422, 503),
)
async def tp2(request: Request, store: InStore, intake: With) -> Response:
    """Store events, each once by its `eid`. An unreadable one does not affect the others."""
    return await take_body(request, store, "snowplow", intake, await read_packed_body(request))
