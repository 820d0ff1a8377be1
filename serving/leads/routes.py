"""GET /v1/leads and what hangs on one lead: card, score, history, timeline, changes, what if."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from features import clock
from features.lifecycle.stages import Stage
from serving.auth.guard import require
from serving.leads.cursors import read_cursor, read_cursor_number, write_cursor
from serving.leads.errors import NotScoredYetError
from serving.leads.movement import Models, choose_moments, compute_what_if, explain_changes
from serving.leads.queries import (
    LeadFilter,
    Order,
    get_lead,
    list_latest,
    list_leads,
    list_members,
    read_counts,
    read_facts_now,
    read_standing,
)
from serving.leads.schemas import (
    AsOf,
    Changes,
    ContractIn,
    Cursor,
    LeadCard,
    LeadPage,
    Limit,
    ListedLead,
    ScoreInShort,
    ScorePage,
    StoredScoreOut,
    Timeline,
    WhatIf,
    WhatIfIn,
    Word,
)
from serving.leads.timeline import What, list_timeline
from serving.scoring.live.stored_scores import find_latest, list_stored
from serving.scoring.models_in_use import choose_champion
from serving.scoring.replay import MomentAheadError, replay
from serving.store.dependencies import InStore, Reading
from serving.web_api.dependencies import Now, check_json
from serving.web_api.openapi import describe_answers, describe_problems
from serving.web_api.text_types import LeadId

router = APIRouter(prefix="/v1/leads", tags=["leads"])
LEADS, SCORES = require("leads:read"), require("scores:read")

Points = Annotated[float | None, Query(allow_inf_nan=False)]
Status = Literal["scored", "not_enough_known"]
EVERYTHING: tuple[What, ...] = ("event", "stage", "attempt", "score")


def find_contract(request: Request, contract: ContractIn = None) -> str:
    """Find which contract is asked about: the one named, or that of the main champion."""
    return choose_champion(request.app.state.model_holders, contract).bundle.contract.text


Contract = Annotated[str, Depends(find_contract)]


def _json(answer: bytes) -> Response:
    return Response(answer, media_type="application/json")


@router.get(
    "", summary="List leads", dependencies=[LEADS], responses=describe_problems(401, 404, 422, 503)
)
def leads(
    work: Reading,
    contract: Contract,
    band: Word | None = None,
    points_from: Points = None,
    points_to: Points = None,
    status: Status | None = None,
    stage: Stage | None = None,
    account_id: Word | None = None,
    id_from: Annotated[Word | None, Query(description="What the id begins with.")] = None,
    sort: Order = "points",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> LeadPage:
    """List leads with their latest score, page by page.

    Sorted by `points`, the best come first, and only leads with a score (or the verdict that not enough
    is known) are listed; by `created_at` (newest first) or `lead_id` all are.
    """
    asked = LeadFilter(contract, band, points_from, points_to, status, stage, account_id, id_from)
    rows, following = list_leads(work, asked, sort, cursor, limit)
    return LeadPage(leads=[_shape_listed(row) for row in rows], next=following)


def _shape_listed(row: tuple[object, ...]) -> ListedLead:
    lead_id, account_id, created_at, stage, *score = row
    return ListedLead.model_validate(
        {
            "lead_id": lead_id,
            "account_id": account_id,
            "created_at": created_at,
            "stage": stage,
            "score": None if score[0] is None else _shape_short(score),
        }
    )


def _shape_short(row: object) -> ScoreInShort:
    names = ("contract", "as_of", "status", "points", "probability", "band", "model_version")
    return ScoreInShort.model_validate(dict(zip(names, row, strict=True)))  # type: ignore[call-overload]


@router.get(
    "/{lead_id}",
    summary="A lead at a glance",
    dependencies=[LEADS],
    responses=describe_problems(401, 404, 422, 503),
)
def card(work: Reading, lead_id: LeadId) -> LeadCard:
    """Give a lead's attributes, stage, record counts and latest scores."""
    lead = get_lead(work, lead_id)
    members = list_members(work, lead.lead_id)
    stage, since = read_standing(work, members)
    facts = read_facts_now(work, members)
    events, stages, attempts, last_event_at, due_at = read_counts(work, members)
    return LeadCard(
        lead_id=lead.lead_id,
        asked_for=lead_id,
        also=members[1:],
        account_id=lead.account_id,
        created_at=lead.created_at,
        first_known_at=lead.first_known_at,
        attributes=facts.attributes,
        attribute_sources=facts.sources,
        stage=stage,
        stage_since=since,
        events=events,
        stages=stages,
        attempts=attempts,
        last_event_at=last_event_at,
        scores=[_shape_short(row) for row in list_latest(work, lead.lead_id)],
        last_scored_as_of=lead.last_scored_as_of,
        due_at=due_at,
    )


@router.get(
    "/{lead_id}/score",
    dependencies=[SCORES],
    summary="A lead's score, now or as it would have been then",
    response_class=Response,
    responses=describe_answers("LeadScore", 401, 404, 410, 422, 503),
)
def score(
    request: Request,
    work: Reading,
    now: Now,
    lead_id: LeadId,
    contract: Contract,
    as_of: AsOf = None,
    anew: Annotated[
        bool, Query(description="With `as_of`: compute it from the records even if it was kept.")
    ] = False,
) -> Response:
    """Give the latest score, or, with `as_of`, the score as of that moment.

    A score stored for exactly that moment is returned byte for byte; otherwise it is
    computed from what was known then, by the model that was in use then. Of a lead that was part of
    another at that moment, the answer is about that other lead.
    """
    lead = get_lead(work, lead_id)
    if as_of is None:
        latest = find_latest(work, lead.lead_id, contract)
        if latest is None:
            raise NotScoredYetError
        return _json(latest.answer)
    _check_not_ahead(as_of, now, lead.last_scored_as_of)
    state = request.app.state
    answer = replay(
        work,
        state.model_cache,
        state.model_holders,
        lead_id,
        as_of,
        contract=contract,
        anew=anew,
    )
    return _json(answer)


@router.post(
    "/{lead_id}/score",
    dependencies=[SCORES],
    summary="Score a lead now",
    response_class=Response,
    responses=describe_answers("LeadScore", 401, 404, 422, 503),
)
def score_now(request: Request, store: InStore, lead_id: LeadId, contract: Contract) -> Response:
    """Score a lead now, from its packed history, and store the score."""
    with store.work(read_only=True) as work:
        lead = get_lead(work, lead_id)
    request.app.state.job_resources.scorer.score_lead(lead.lead_id, ["asked"])
    with store.work(read_only=True) as work:
        latest = find_latest(work, lead.lead_id, contract)
    if latest is None:
        raise NotScoredYetError
    return _json(latest.answer)


@router.get(
    "/{lead_id}/history",
    dependencies=[SCORES],
    summary="A lead's scores over time",
    responses=describe_problems(401, 404, 422, 503),
)
def history(
    work: Reading,
    lead_id: LeadId,
    contract: ContractIn = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ScorePage:
    """List the stored scores, newest first; of every contract if none is named."""
    lead = get_lead(work, lead_id)
    before = None
    if cursor is not None:
        before = read_cursor_number(read_cursor("history", cursor, 1)[0])
    rows = list_stored(work, lead.lead_id, contract, before, limit + 1)
    names = list(StoredScoreOut.model_fields)
    scores = [
        StoredScoreOut.model_validate(dict(zip(names, row, strict=True))) for row in rows[:limit]
    ]
    following = write_cursor("history", scores[-1].number) if len(rows) > limit else None
    return ScorePage(lead_id=lead.lead_id, scores=scores, next=following)


@router.get(
    "/{lead_id}/timeline",
    dependencies=[LEADS],
    summary="What happened to a lead",
    responses=describe_problems(401, 404, 422, 503),
)
def timeline(
    work: Reading,
    lead_id: LeadId,
    what: Annotated[list[What], Query(max_length=4)] = [],  # noqa: B006 - read only; FastAPI copies it
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Timeline:
    """List events, stage changes, attempts and scores together, newest first; or some kinds of them."""
    lead = get_lead(work, lead_id)
    members = list_members(work, lead.lead_id)
    entries, following = list_timeline(work, members, set(what or EVERYTHING), cursor, limit)
    return Timeline(lead_id=lead.lead_id, entries=entries, next=following)


@router.get(
    "/{lead_id}/changes",
    dependencies=[SCORES],
    summary="Why a score moved between two moments",
    responses=describe_problems(401, 404, 410, 422, 503),
)
def changes(
    request: Request,
    work: Reading,
    now: Now,
    lead_id: LeadId,
    contract: Contract,
    since: Annotated[AsOf, Query(alias="from")] = None,
    until: Annotated[AsOf, Query(alias="to")] = None,
) -> Changes:
    """Explain why a score changed: time, fields, account, events, stages, model.

    Left out, `to` is the latest score and `from` the one before it. The parts add up to `delta`; each is
    put on top of those before it, so what two say together goes to the later one.
    """
    lead = get_lead(work, lead_id)
    since, until = choose_moments(work, lead, contract, since, until)
    _check_not_ahead(until, now, lead.last_scored_as_of)
    models = Models(request.app.state.model_cache, request.app.state.model_holders, contract)
    return explain_changes(work, models, lead, since, until)


def _check_not_ahead(moment: datetime, now: datetime, last_scored_as_of: datetime | None) -> None:
    if moment > max(now, last_scored_as_of or clock.EPOCH):
        raise MomentAheadError


@router.post(
    "/{lead_id}/what-if",
    summary="What next events would do to a score",
    dependencies=[SCORES, Depends(check_json)],
    responses=describe_problems(401, 404, 415, 422, 503),
)
def what_if(
    request: Request,
    work: Reading,
    now: Now,
    lead_id: LeadId,
    contract: Contract,
    asked: WhatIfIn,
) -> WhatIf:
    """Score a lead with one additional event each: those given, or every kind.

    A comparison by the model of what such leads did; no promise that an event brought about would work
    the same.
    """
    lead = get_lead(work, lead_id)
    champion = choose_champion(request.app.state.model_holders, contract)
    return compute_what_if(work, champion, lead, now, asked.events)
