"""What the routes of all tools share: a body in, its messages landed, an answer out.

Libraries throw a batch away when they get a 4xx, and send it again when they get a 5xx. So a message
that cannot be read is kept in the quarantine, and the batch is answered with 200. The answer is the same
whatever became of a message: the keys lie in web pages, and nobody may learn there whom we know.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from math import ceil
from time import perf_counter

import msgspec
from anyio import to_thread
from fastapi import Request
from starlette.responses import Response

from serving.errors import RefusedError
from serving.intake.envelope import Envelope, open_envelope
from serving.intake.quarantine import keep_item
from serving.intake.records.items import ItemResult, Tool
from serving.intake.records.parsing import Intake
from serving.intake.tools.messages import find_person, ingest_messages
from serving.settings import ServingSettings
from serving.store.session import Patience, Store, UnitOfWork
from serving.web_api.inflate import inflate
from serving.web_api.problems import shape_refusal


class ToolResponse(msgspec.Struct):
    """That a body was accepted: no more, since anybody can read the key of a web page."""

    success: bool
    """Always true. What became of a message, whoever may repair records reads in the quarantine."""


ACCEPTED = msgspec.json.encode(ToolResponse(success=True))

STEP_SECONDS = 0.05
"""Answers leave at whole steps since a request came: how long a message took must not tell whether
its person is known, was erased, or is new."""


def find_rest(taken_seconds: float) -> float:
    """Find how long an answer is still kept back.

    >>> round(find_rest(0.012), 3), round(find_rest(0.05), 3), round(find_rest(0.051), 3)
    (0.038, 0.0, 0.049)
    """
    return ceil(taken_seconds / STEP_SECONDS) * STEP_SECONDS - taken_seconds


MESSAGES_AT_ONCE = 100
"""Messages that land in one transaction. Locks are held as long as one takes, and new leads, whoever
sends them, may wait for them."""


def take_messages(
    work: UnitOfWork, tool: Tool, raws: Sequence[bytes], sent_at: datetime | None, intake: Intake
) -> list[ItemResult]:
    """Land messages, and keep those that cannot be read."""
    outcomes = ingest_messages(work, tool, raws, sent_at, intake)
    results = []
    for raw, outcome in zip(raws, outcomes, strict=True):
        if isinstance(outcome, RefusedError):
            problem = shape_refusal(outcome)
            lead_id = find_person(raw)
            at = intake.received_at
            number = keep_item(work, tool, raw, problem, at, lead_id=lead_id)
            results.append(ItemResult("quarantined", item_number=number, problem=problem))
        else:
            results.append(outcome)
    return results


def land_body(
    store: Store, tool: Tool, envelope: Envelope, intake: Intake, patience: Patience
) -> list[ItemResult]:
    """Land the messages of a body, so many in one transaction.

    If one of these fails, those before it have landed: whoever sends the body again changes nothing
    of them, as each message lands once by its id, and an unreadable one is kept once.
    """
    results: list[ItemResult] = []
    for start in range(0, len(envelope.items), MESSAGES_AT_ONCE):
        raws = envelope.items[start : start + MESSAGES_AT_ONCE]
        ingest = partial(
            take_messages, tool=tool, raws=raws, sent_at=envelope.sent_at, intake=intake
        )
        results += store.run(ingest, patience)
    return results


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
    started = perf_counter()
    settings: ServingSettings = request.app.state.settings
    envelope = open_envelope(tool, body, settings.max_batch)
    patience = Patience(
        settings.tool_statement_timeout_seconds, settings.tool_lock_timeout_seconds
    )
    ingest = partial(land_body, store, tool, envelope, intake, patience)
    await to_thread.run_sync(ingest)
    await asyncio.sleep(find_rest(perf_counter() - started))
    return Response(ACCEPTED, media_type="application/json")
