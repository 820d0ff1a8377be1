"""POST /v1/score, POST /v1/score/batch and POST /v1/timing."""

from typing import Annotated, Any

import msgspec
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from serving.auth.guard import require
from serving.scoring.examples import EXAMPLE_BATCH, EXAMPLE_LEAD
from serving.scoring.request.batches import split_batch
from serving.scoring.request.service import Scoring, read_body, score_batch, score_one, time_one
from serving.web_api.dependencies import InUse, Now, Settings, check_json
from serving.web_api.openapi import describe_answers, describe_body

LONG_HISTORY_BYTES = 200_000
"""A lead this long is scored in a thread, so that the others need not wait for it."""

MOST_REASONS = 100

Top = Annotated[
    int, Query(ge=0, le=MOST_REASONS, description="Most reasons to list; the rest is one line.")
]

router = APIRouter(
    prefix="/v1",
    tags=["scoring"],
    dependencies=[require("leads:score"), Depends(check_json)],
)


async def get_scoring(
    request: Request, champion: InUse, now: Now, settings: Settings, top: Top = 8
) -> Scoring:
    """Gather what a request is scored with."""
    state = request.app.state
    return Scoring(
        champion,
        now,
        top,
        settings.max_batch,
        settings.max_events,
        state.tally,
        state.rows,
        state.shadow,
    )


PATHS = frozenset({"/v1/score", "/v1/score/batch", "/v1/timing"})
"""Where bodies may be as long as records are."""

With = Annotated[Scoring, Depends(get_scoring)]


def _json(answer: Any) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _score_body(scoring: Scoring, body: bytes) -> Response:
    return _json(score_one(scoring, read_body(body)))


def _time_body(scoring: Scoring, body: bytes) -> Response:
    return _json(time_one(scoring, read_body(body)))


def _score_batch_body(scoring: Scoring, body: bytes) -> Response:
    return _json(score_batch(scoring, split_batch(body, scoring.most_leads)))


@router.post(
    "/score",
    summary="Score one lead and say why",
    response_class=Response,
    openapi_extra=describe_body("LeadIn", {"a lead": {"value": EXAMPLE_LEAD}}),
    responses=describe_answers("LeadScore", 401, 413, 415, 422, 503),
)
async def score(request: Request, scoring: With) -> Response:
    """Score one lead, with its events and stage changes inline.

    The reasons are points: 50 (the typical lead) and all of them add up to `points_uncut`.
    If too little is known, `status` says so and no score is given.
    """
    body = await request.body()
    if len(body) > LONG_HISTORY_BYTES:
        return await to_thread.run_sync(_score_body, scoring, body)
    return _score_body(scoring, body)


@router.post(
    "/timing",
    summary="Say when to hand one lead off, and how sure that is",
    response_class=Response,
    openapi_extra=describe_body("LeadIn", {"a lead": {"value": EXAMPLE_LEAD}}),
    responses=describe_answers("LeadTiming", 401, 404, 413, 415, 422, 503),
)
async def time_lead(request: Request, scoring: With) -> Response:
    """Recommend whether to hand a lead off now, later or not at all, and the expected gain.

    Where the gain of timing was not proven on logged handoffs, a threshold decides and
    `rule_because` says why.
    """
    body = await request.body()
    if len(body) > LONG_HISTORY_BYTES:
        return await to_thread.run_sync(_time_body, scoring, body)
    return _time_body(scoring, body)


@router.post(
    "/score/batch",
    summary="Score many leads in one call",
    response_class=Response,
    openapi_extra=describe_body("BatchIn", {"two leads": {"value": EXAMPLE_BATCH}}),
    responses=describe_answers("BatchScores", 401, 413, 415, 422, 503),
)
async def score_many(request: Request, scoring: With) -> Response:
    """Score up to 10,000 leads; the answers come in the same order.

    A lead that cannot be read gets its own problem; the others are scored.
    """
    body = await request.body()
    # One batch at a time: two at once would only take twice the memory.
    limiter: CapacityLimiter = request.app.state.batch_limiter
    return await to_thread.run_sync(_score_batch_body, scoring, body, limiter=limiter)
