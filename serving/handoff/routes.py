"""GET /v1/handoffs and what can be done with one: every move that people make, under its own address."""

from datetime import datetime
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from serving.auth.guard import Caller, allow
from serving.handoff import answer, give_back, pursue
from serving.handoff.assign import assign
from serving.handoff.dependencies import InOccasion, check_own, note_deed
from serving.handoff.hand_over import hand_over
from serving.handoff.moves import State
from serving.handoff.packet_text import say_markdown, say_memo
from serving.handoff.queries import QueueFilter, list_queue, read_packet
from serving.handoff.record import get_handoff
from serving.handoff.schemas import (
    AssignIn,
    AttemptIn,
    AttemptLogged,
    HandoffId,
    HandoffOut,
    HandoffPage,
    HandOverIn,
    ListedHandoff,
    NoteIn,
    QualifyIn,
    QuestionIn,
    ReasonIn,
    ReturnIn,
)
from serving.handoff.shapes import shape_handoff
from serving.http.dependencies import Now, check_json
from serving.http.openapi import describe_problems
from serving.leads.schemas import Cursor, Limit, Word
from serving.store.dependencies import Reading, Work
from serving.store.session import UnitOfWork

router = APIRouter(prefix="/v1/handoffs", tags=["handoffs"])
READ, WORKS = allow("read handoffs"), allow("work handoffs")
HANDS_OVER, ASSIGNS = allow("hand over leads"), allow("assign handoffs")
JSON = Depends(check_json)
REFUSED = describe_problems(401, 403, 404, 409, 415, 422, 503)


@router.get(
    "",
    summary="The queue",
    dependencies=[READ],
    responses=describe_problems(401, 422, 503),
)
def queue(
    work: Reading,
    is_open: Annotated[
        bool | None, Query(alias="open", description="Those not closed, those closed.")
    ] = None,
    state: State | None = None,
    seller: Word | None = None,
    trigger: Word | None = None,
    priority: Word | None = None,
    source: Word | None = None,
    lead_id: Word | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HandoffPage:
    """List handoffs page by page: leads that asked for sales first, then the most valuable."""
    asked = QueueFilter(is_open, state, seller, trigger, priority, source, lead_id)
    rows, following = list_queue(work, asked, cursor, limit)
    listed = [ListedHandoff.model_validate(dict(row._mapping)) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
    return HandoffPage(handoffs=listed, next=following)


@router.get(
    "/{handoff_id}",
    summary="A handoff and all that happened to it",
    dependencies=[READ],
    responses=describe_problems(401, 404, 422, 503),
)
def one(work: Reading, now: Now, handoff_id: HandoffId) -> HandoffOut:
    """Give a handoff with its clocks, moves and assignments."""
    return shape_handoff(work, get_handoff(work, handoff_id), now)


@router.get(
    "/{handoff_id}/packet",
    summary="What sales is told: JSON, a memo, or Markdown",
    dependencies=[READ],
    response_class=Response,
    responses=describe_problems(401, 404, 422, 503),
)
def packet(request: Request, work: Reading, handoff_id: HandoffId) -> Response:
    """Give the packet as the `Accept` header asks: JSON, `text/plain` or `text/markdown`."""
    row = get_handoff(work, handoff_id)
    accepted = request.headers.get("accept", "")
    if "text/markdown" in accepted:
        return Response(say_markdown(read_packet(row)), media_type="text/markdown")
    if "text/plain" in accepted:
        return Response(say_memo(read_packet(row)), media_type="text/plain")
    return JSONResponse(row.packet)


@router.post(
    "",
    status_code=201,
    summary="Hand a lead over by a reason",
    dependencies=[HANDS_OVER, JSON],
    responses=REFUSED,
)
def start(work: Work, occasion: InOccasion, asked: HandOverIn) -> HandoffOut:
    """Hand a lead over since somebody decided it; the playbook says what still keeps it back."""
    row = hand_over(work, asked.lead_id, asked.reason, occasion, np.random.default_rng())
    return _done(work, row.handoff_id, "handed over", occasion.at, occasion)


def _done(
    work: UnitOfWork, handoff_id: int, action: str, at: datetime, occasion: InOccasion
) -> HandoffOut:
    """Note who did it, and give the handoff as it is by now."""
    note_deed(work, action, handoff_id, occasion)
    return shape_handoff(work, get_handoff(work, handoff_id), at)


@router.post(
    "/{handoff_id}/accept",
    summary="Take the lead",
    dependencies=[WORKS],
    responses=REFUSED,
)
def accept(work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId) -> HandoffOut:
    """Record that the seller took the lead."""
    check_own(work, handoff_id, caller)
    answer.accept(work, handoff_id, occasion)
    return _done(work, handoff_id, "accepted", occasion.at, occasion)


@router.post(
    "/{handoff_id}/reject",
    summary="Do not take the lead",
    dependencies=[WORKS, JSON],
    responses=REFUSED,
)
def reject(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId, asked: ReturnIn
) -> HandoffOut:
    """Record that sales does not take the lead, and why."""
    check_own(work, handoff_id, caller)
    give_back.reject(work, handoff_id, asked.reason, asked.note, occasion)
    return _done(work, handoff_id, "rejected", occasion.at, occasion)


@router.post(
    "/{handoff_id}/hand-on",
    summary="Let another seller have the lead",
    dependencies=[WORKS, JSON],
    responses=REFUSED,
)
def hand_on(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId, asked: NoteIn
) -> HandoffOut:
    """Record that the seller cannot take it now, which says nothing of the lead."""
    check_own(work, handoff_id, caller)
    answer.hand_on(work, handoff_id, asked.note, occasion)
    return _done(work, handoff_id, "handed on", occasion.at, occasion)


@router.post(
    "/{handoff_id}/ask",
    summary="Ask marketing something",
    dependencies=[WORKS, JSON],
    responses=REFUSED,
)
def ask(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId, asked: QuestionIn
) -> HandoffOut:
    """Ask marketing; sales' clock pauses until it is supplied."""
    check_own(work, handoff_id, caller)
    answer.ask(work, handoff_id, asked.question, occasion)
    return _done(work, handoff_id, "asked", occasion.at, occasion)


@router.post(
    "/{handoff_id}/supply",
    summary="Supply what was missing or asked",
    dependencies=[HANDS_OVER, JSON],
    responses=REFUSED,
)
def supply(work: Work, occasion: InOccasion, handoff_id: HandoffId, asked: NoteIn) -> HandoffOut:
    """Record that marketing supplied it; the packet is built anew from what is known by now."""
    answer.supply(work, handoff_id, asked.note, occasion)
    return _done(work, handoff_id, "supplied", occasion.at, occasion)


@router.post(
    "/{handoff_id}/release",
    summary="Let a held packet go as it is",
    dependencies=[HANDS_OVER, JSON],
    responses=REFUSED,
)
def release(work: Work, occasion: InOccasion, handoff_id: HandoffId, asked: NoteIn) -> HandoffOut:
    """Let a packet that was held back go to sales without what it lacks."""
    answer.release(work, handoff_id, asked.note, occasion)
    return _done(work, handoff_id, "released", occasion.at, occasion)


@router.post(
    "/{handoff_id}/withdraw",
    summary="Take a handoff back",
    dependencies=[HANDS_OVER, JSON],
    responses=REFUSED,
)
def withdraw(
    work: Work, occasion: InOccasion, handoff_id: HandoffId, asked: ReasonIn
) -> HandoffOut:
    """Take a handoff back: a duplicate, do not contact."""
    give_back.withdraw(work, handoff_id, asked.reason, occasion)
    return _done(work, handoff_id, "withdrawn", occasion.at, occasion)


@router.post(
    "/{handoff_id}/assign",
    summary="Give the handoff to a seller by hand",
    dependencies=[ASSIGNS, JSON],
    responses=REFUSED,
)
def assign_to(
    work: Work, occasion: InOccasion, handoff_id: HandoffId, asked: AssignIn
) -> HandoffOut:
    """Give a handoff to the seller somebody chose: outside the turn, but counted."""
    assign(work, handoff_id, asked.seller, asked.reason, occasion)
    return _done(work, handoff_id, "assigned", occasion.at, occasion)


@router.post(
    "/{handoff_id}/attempts",
    status_code=201,
    summary="Log an attempt to reach the lead",
    dependencies=[WORKS, JSON],
    responses=REFUSED,
)
def attempt(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId, asked: AttemptIn
) -> AttemptLogged:
    """Log an attempt, once; the first takes the lead if nobody had said so."""
    check_own(work, handoff_id, caller)
    tried = pursue.Tried(
        asked.at or occasion.at, asked.channel.value, asked.result, asked.attempt_id
    )
    row, is_new = pursue.log_attempt(work, handoff_id, tried, occasion)
    return AttemptLogged(handoff=shape_handoff(work, row, occasion.at), is_new=is_new)


@router.post(
    "/{handoff_id}/qualify",
    summary="Record what the lead told: a SQL",
    dependencies=[WORKS, JSON],
    responses=REFUSED,
)
def qualify(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId, asked: QualifyIn
) -> HandoffOut:
    """Record need, budget, authority and timeline; refused unless the agreed definition is met."""
    check_own(work, handoff_id, caller)
    pursue.qualify(work, handoff_id, asked.answers, occasion)
    return _done(work, handoff_id, "qualified", occasion.at, occasion)


@router.post(
    "/{handoff_id}/give-back",
    summary="Give a lead back that was taken",
    dependencies=[WORKS, JSON],
    responses=REFUSED,
)
def return_it(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId, asked: ReturnIn
) -> HandoffOut:
    """Give a lead back with a reason; it goes to the track and the rest the playbook says."""
    check_own(work, handoff_id, caller)
    give_back.give_back(work, handoff_id, asked.reason, asked.note, occasion)
    return _done(work, handoff_id, "given back", occasion.at, occasion)


@router.post(
    "/{handoff_id}/give-up",
    summary="Give up a lead nobody could reach",
    dependencies=[WORKS, JSON],
    responses=REFUSED,
)
def give_up(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId, asked: NoteIn
) -> HandoffOut:
    """Give a lead up after the attempts that were agreed; refused before."""
    check_own(work, handoff_id, caller)
    give_back.give_up(work, handoff_id, asked.note, occasion)
    return _done(work, handoff_id, "given up", occasion.at, occasion)


@router.post(
    "/{handoff_id}/open-deal",
    summary="An opportunity is open",
    dependencies=[WORKS],
    responses=REFUSED,
)
def open_deal(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId
) -> HandoffOut:
    """Record that an opportunity is open."""
    check_own(work, handoff_id, caller)
    pursue.open_deal(work, handoff_id, occasion)
    return _done(work, handoff_id, "opened a deal", occasion.at, occasion)


@router.post(
    "/{handoff_id}/win",
    summary="The lead became a customer",
    dependencies=[WORKS],
    responses=REFUSED,
)
def win(work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId) -> HandoffOut:
    """Record that the lead was won."""
    check_own(work, handoff_id, caller)
    pursue.win(work, handoff_id, occasion)
    return _done(work, handoff_id, "won", occasion.at, occasion)


@router.post(
    "/{handoff_id}/lose",
    summary="The deal was lost",
    dependencies=[WORKS, JSON],
    responses=REFUSED,
)
def lose(
    work: Work, occasion: InOccasion, caller: Caller, handoff_id: HandoffId, asked: ReasonIn
) -> HandoffOut:
    """Record that the deal was lost; the lead goes back to marketing."""
    check_own(work, handoff_id, caller)
    pursue.lose(work, handoff_id, asked.reason, occasion, asked.note)
    return _done(work, handoff_id, "lost", occasion.at, occasion)
