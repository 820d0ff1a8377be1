"""PUT and POST /v1/leads, POST /v1/events, /v1/stages, /v1/attempts, and /v1/quarantine."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from fastapi import Path as PathParameter
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from features.taxonomy import default_taxonomy
from serving.auth.guard import require
from serving.champion import ModelHolder
from serving.errors import FieldProblem, InvalidBodyError
from serving.intake.envelope import Envelope, open_envelope
from serving.intake.errors import NoSuchItemError
from serving.intake.quarantine import get_item, list_items, settle
from serving.intake.records.items import Landed, Record, Sent
from serving.intake.records.parsing import Intake
from serving.intake.service import take_in, try_again, try_all_again
from serving.scoring.moments import read_moment
from serving.store.dependencies import InStore, Reading, Work
from serving.store.session import Store, UnitOfWork
from serving.web_api.dependencies import Now, check_json
from serving.web_api.idempotency import (
    DESCRIBED_KEY,
    REPLAYED,
    IdempotentRequest,
    StoredResponse,
    read_key,
    run_idempotent,
)
from serving.web_api.openapi import describe_answers, describe_body, describe_problems
from serving.web_api.text_types import LeadId

FALLBACK = default_taxonomy()
"""What names of events mean as long as no model has said otherwise."""

MOST_REPLAYED = 1_000

PATHS = frozenset(f"/v1/{name}" for name in ("events", "stages", "attempts", "leads"))
"""Where bodies may be as long as records are."""

router = APIRouter(prefix="/v1", tags=["intake"], dependencies=[require("records:send")])
mending = APIRouter(prefix="/v1", tags=["intake"], dependencies=[require("records:repair")])
JSON = [Depends(check_json)]


async def get_intake(request: Request, now: Now) -> Intake:
    """Gather what items are taken in with."""
    holder: ModelHolder = request.app.state.champion_holder
    champion = holder.find_champion()
    catalog = None if champion is None else champion.bundle.catalog
    taxonomy = FALLBACK if catalog is None else catalog.taxonomy
    most: int = request.app.state.settings.max_identity_keys
    return Intake(taxonomy, catalog, now, most, request.app.state.joins_refused)


With = Annotated[Intake, Depends(get_intake)]


def _json(answer: Any) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _answer(
    work: UnitOfWork, record: Record, envelope: Envelope, intake: Intake
) -> StoredResponse:
    return StoredResponse(msgspec.json.encode(take_in(work, record, envelope, intake)))


def _take_in_idempotent(
    store: Store,
    record: Record,
    envelope: Envelope,
    intake: Intake,
    request_key: IdempotentRequest | None,
) -> StoredResponse:
    def ingest(work: UnitOfWork) -> StoredResponse:
        answer = partial(_answer, work, record, envelope, intake)
        return run_idempotent(work, request_key, intake.received_at, answer)

    return store.run(ingest)


def _read_date(request: Request) -> datetime | None:
    """Read the sender's clock off the Date header; None where that holds no time that can be."""
    try:
        return read_moment(parsedate_to_datetime(request.headers.get("date", "")).isoformat())
    except (ValueError, TypeError, OverflowError, PydanticCustomError):
        return None


async def _take_body(
    request: Request, store: Store, record: Record, intake: Intake, body: bytes
) -> Response:
    envelope = open_envelope(record, body, request.app.state.settings.max_batch)
    if envelope.sent_at is None:
        envelope = envelope._replace(sent_at=_read_date(request))
    request_key = read_key(request, body)
    ingest = partial(_take_in_idempotent, store, record, envelope, intake, request_key)
    answer = await to_thread.run_sync(ingest)
    headers = REPLAYED if answer.is_replayed else None
    return Response(answer.body, answer.status, headers, answer.media_type)


def _describe(record: str, example: dict[str, Any]) -> dict[str, Any]:
    """Describe a route that takes one item or a batch of them."""
    item, batch = f"{record.title()}Item", f"{record.title()}Batch"
    described = describe_body(item, {f"a batch: see the schema {batch}": {"value": example}})
    content = described["requestBody"]["content"]["application/json"]
    one = content["schema"]
    content["schema"] = {"anyOf": [one, {"$ref": one["$ref"].replace(item, batch)}]}
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "pattern": DESCRIBED_KEY},
        "description": "Sent again with the same body within 24 hours, the same answer comes back.",
    }
    return {**described, "parameters": [key]}


ANSWERS = describe_answers("Landed", 400, 401, 409, 413, 415, 422, 503)
WHEN = "2026-03-05T10:31:00Z"


@router.post(
    "/events",
    summary="Send what leads did or received",
    response_class=Response,
    dependencies=JSON,
    openapi_extra=_describe(
        "event",
        {"lead_id": "lead-1042", "event_id": "e-1", "name": "pricing_view", "occurred_at": WHEN},
    ),
    responses=ANSWERS,
)
async def events(request: Request, store: InStore, intake: With) -> Response:
    """Store events, one or many; each once. An unknown lead is created with its first event."""
    return await _take_body(request, store, "event", intake, await request.body())


@router.post(
    "/stages",
    summary="Send moves of leads between marketing and sales",
    response_class=Response,
    dependencies=JSON,
    openapi_extra=_describe("stage", {"lead_id": "lead-1042", "stage": "mql", "at": WHEN}),
    responses=ANSWERS,
)
async def stages(request: Request, store: InStore, intake: With) -> Response:
    """Store stage changes, one or many; each once."""
    return await _take_body(request, store, "stage", intake, await request.body())


@router.post(
    "/attempts",
    summary="Send what sales did to reach leads",
    response_class=Response,
    dependencies=JSON,
    openapi_extra=_describe("attempt", {"lead_id": "lead-1042", "channel": "call", "at": WHEN}),
    responses=ANSWERS,
)
async def attempts(request: Request, store: InStore, intake: With) -> Response:
    """Store attempts, one or many; each once."""
    return await _take_body(request, store, "attempt", intake, await request.body())


LEAD = {"lead_id": "lead-1042", "created_at": WHEN, "attributes": {"industry": "logistics"}}
UNNAMED = {name: value for name, value in LEAD.items() if name != "lead_id"}


@router.post(
    "/leads",
    summary="Send who leads are",
    response_class=Response,
    dependencies=JSON,
    openapi_extra=_describe("lead", LEAD),
    responses=ANSWERS,
)
async def leads(request: Request, store: InStore, intake: With) -> Response:
    """Store leads, one or many. Attributes left out stay as they were."""
    return await _take_body(request, store, "lead", intake, await request.body())


@router.put(
    "/leads/{lead_id}",
    summary="Send who a lead is",
    response_class=Response,
    dependencies=JSON,
    openapi_extra=describe_body("NamedLead", {"a lead": {"value": UNNAMED}}),
    responses=ANSWERS,
)
async def lead(lead_id: LeadId, request: Request, store: InStore, intake: With) -> Response:
    """Store one lead; the id in the path counts."""
    body = _with_id(lead_id, await request.body())
    return await _take_body(request, store, "lead", intake, body)


def _with_id(lead_id: str, body: bytes) -> bytes:
    """Put the id of the address into the lead.

    Raises
    ------
    InvalidBodyError
        If the body is no object.
    """
    try:
        sent = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        return msgspec.json.encode({**sent, "lead_id": lead_id})
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        open_envelope("lead", body, 1)  # says what is wrong with it, but for half characters
        fix = "Send whole characters: both halves of a pair, or none."
        problem = FieldProblem("", "holds half a character in the name of a field", fix)
        raise InvalidBodyError((problem,)) from None


Number = Annotated[int, Query(ge=0, le=2**53)]
ItemNumber = Annotated[int, PathParameter(ge=1, le=2**53)]


@mending.get(
    "/quarantine",
    summary="Items that could not be read",
    response_class=Response,
    responses=describe_answers("WaitingItems", 401, 422, 503),
)
def waiting(
    work: Reading,
    state: Literal["waiting", "landed", "dropped"] = "waiting",
    record: Sent | None = None,
    after: Number = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """List items with their problems, oldest first, without their bodies."""
    return _json(list_items(work, state=state, record=record, after=after, limit=limit))


@mending.get(
    "/quarantine/{number:int}",
    summary="One item as received",
    response_class=Response,
    responses=describe_answers("WaitingItem", 401, 404, 422, 503),
)
def item(number: ItemNumber, work: Reading) -> Response:
    """Give an item with its body."""
    return _json(get_item(work, number))


@mending.post(
    "/quarantine/{number:int}/replay",
    summary="Send an item through again",
    response_class=Response,
    responses=describe_answers("ItemResult", 401, 404, 415, 422, 503),
)
async def replay(number: ItemNumber, request: Request, store: InStore, intake: With) -> Response:
    """Store an item: as sent now, or, with an empty body, as it was received."""
    mended = await request.body()
    if mended:
        await check_json(request)
    result = await to_thread.run_sync(
        store.run, lambda work: try_again(work, number, mended or None, intake)
    )
    return _json(result)


@mending.post(
    "/quarantine/replay",
    summary="Send many items through again",
    response_class=Response,
    responses=describe_answers("Landed", 401, 422, 503),
)
def replay_all(work: Work, intake: With, record: Sent | None = None) -> Response:
    """Store up to a thousand items as they were received, once the cause is fixed on this side."""
    found = list_items(work, state="waiting", record=record, after=0, limit=MOST_REPLAYED)
    landed: Landed = try_all_again(work, [one.item_number for one in found.items], intake)
    return _json(landed)


@mending.delete(
    "/quarantine/{number:int}",
    summary="Drop an item",
    response_class=Response,
    status_code=204,
    responses=describe_problems(401, 404, 422, 503),
)
def drop(number: ItemNumber, work: Work, now: Now) -> Response:
    """Drop an item; its body is deleted."""
    if not settle(work, [number], "dropped", now):
        raise NoSuchItemError(number)
    return Response(status_code=204)
