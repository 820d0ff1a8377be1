"""What the routes of all tools share: a body in, its messages landed, an answer out.

Libraries throw a batch away when they get a 4xx, and send it again when they get a 5xx. So a message
that cannot be read is kept in the quarantine, and the batch is answered with 200.
"""

from functools import partial

import msgspec
from anyio import to_thread
from fastapi import Request
from starlette.responses import Response

from serving.errors import RefusedError
from serving.intake.envelope import Envelope, open_envelope
from serving.intake.quarantine import keep_item
from serving.intake.records.items import ItemResult, Tool
from serving.intake.records.parsing import Intake
from serving.intake.service import count
from serving.intake.tools.messages import find_person, ingest_messages
from serving.settings import ServingSettings
from serving.store.session import Store, UnitOfWork
from serving.web_api.inflate import inflate
from serving.web_api.problems import shape_refusal


class ToolResponse(msgspec.Struct):
    """The result of each message, in their order."""

    success: bool
    """Always true: what cannot be read is kept, and counted under `quarantined`."""
    counts: dict[str, int]
    results: list[ItemResult]


def take_messages(
    work: UnitOfWork, tool: Tool, envelope: Envelope, intake: Intake
) -> ToolResponse:
    """Land the messages of a body, and keep those that cannot be read."""
    outcomes = ingest_messages(work, tool, envelope.items, envelope.sent_at, intake)
    results = []
    for raw, outcome in zip(envelope.items, outcomes, strict=True):
        if isinstance(outcome, RefusedError):
            problem = shape_refusal(outcome)
            lead_id = find_person(raw)
            at = intake.received_at
            number = keep_item(work, tool, raw, problem, at, lead_id=lead_id)
            results.append(ItemResult("quarantined", item_number=number, problem=problem))
        else:
            results.append(outcome)
    landed = count(results)
    return ToolResponse(success=True, counts=landed.counts, results=landed.results)


async def read_packed_body(request: Request) -> bytes:
    """Read a body, packed or not.

    Raises
    ------
    BodyTooLargeError, BodyNotGzipError
        If it is too large once unpacked, or cannot be.
    """
    settings: ServingSettings = request.app.state.settings
    body = await request.body()
    encoding = request.headers.get("content-encoding", "")
    return await to_thread.run_sync(inflate, body, encoding, settings.max_body_bytes)


async def take_body(
    request: Request, store: Store, tool: Tool, intake: Intake, body: bytes
) -> Response:
    """Land a body: one message, or a batch of them."""
    envelope = open_envelope(tool, body, request.app.state.settings.max_batch)
    ingest = partial(take_messages, tool=tool, envelope=envelope, intake=intake)
    answer = await to_thread.run_sync(store.run, ingest)
    return Response(msgspec.json.encode(answer), media_type="application/json")
