"""GET /v1/handoffs and what can be done with one: every move that people make, under its own address."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response

from serving.auth.guard import require
from serving.handoff.api.dependencies import InActionContext, OwnHandoff, note_action
from serving.handoff.api.queries import QueueFilter, list_proposed, list_queue, read_packet
from serving.handoff.api.schemas import (
    AssignIn,
    AttemptIn,
    AttemptLogged,
    HandoffId,
    HandoffOut,
    HandoffPage,
    HandOverIn,
    ListedHandoff,
    NoteIn,
    ProposedLead,
    ProposedPage,
    QualifyIn,
    QuestionIn,
    ReasonIn,
    ReturnIn,
)
from serving.handoff.api.serialize import shape_handoff
from serving.handoff.lifecycle import give_back
from serving.handoff.lifecycle import respond as answer
from serving.handoff.lifecycle import work as pursue
from serving.handoff.lifecycle.assign import assign
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.decide import hand_over
from serving.handoff.lifecycle.record import get_handoff
from serving.handoff.machine.transitions import State
from serving.handoff.packet.render import render_markdown, render_memo
from serving.leads.schemas import Cursor, Limit, Word
from serving.store.dependencies import Reading, Work
from serving.store.session import UnitOfWork
from serving.web_api.dependencies import Now, check_json
from serving.web_api.openapi import describe_problems

router = APIRouter(prefix="/v1/handoffs", tags=["handoffs"])
READ, WORKS = require("handoffs:read"), require("handoffs:work")
HANDS_OVER, ASSIGNS = require("handoffs:create"), require("handoffs:assign")
JSON = Depends(check_json)
REFUSED = describe_problems(401, 403, 404, 409, 415, 422, 503)

Route = TypeVar("Route", bound=Callable[..., Any])


def action_route(
    path: str, summary: str, guard: Any, *, audited: bool = True, status_code: int = 200
) -> Callable[[Route], Route]:
    """Make a route of an action: who may do it, and whether a body tells more of it."""
    return router.post(
        path,
        summary=summary,
        status_code=status_code,
        dependencies=[guard, JSON] if audited else [guard],
        responses=REFUSED,
    )


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
    "/proposed",
    summary="Leads that would be handed over, had both sides agreed to a playbook",
    dependencies=[READ],
    responses=describe_problems(401, 422, 503),
)
def proposed(work: Reading, cursor: Cursor = None, limit: Limit = 50) -> ProposedPage:
    """List them page by page: leads that asked for sales first, then the best scored.

    They are decided about again, and handed over, as soon as a playbook is agreed.
    """
    rows, following = list_proposed(work, cursor, limit)
    listed = [
        ProposedLead.model_validate(
            {name: getattr(row, name) for name in ProposedLead.model_fields}
        )
        for row in rows
    ]
    return ProposedPage(proposed=listed, next=following)


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
    summary="The packet for sales: JSON, a memo, or Markdown",
    dependencies=[READ],
    response_class=Response,
    responses=describe_problems(401, 404, 422, 503),
)
def packet(request: Request, work: Reading, handoff_id: HandoffId) -> Response:
    """Give the packet as the `Accept` header asks: JSON, `text/plain` or `text/markdown`."""
    row = get_handoff(work, handoff_id)
    accepted = request.headers.get("accept", "")
    if "text/markdown" in accepted:
        return Response(render_markdown(read_packet(row)), media_type="text/markdown")
    if "text/plain" in accepted:
        return Response(render_memo(read_packet(row)), media_type="text/plain")
    return JSONResponse(row.packet)


@action_route("", "Hand a lead over by a reason", HANDS_OVER, status_code=201)
def start(work: Work, context: InActionContext, asked: HandOverIn) -> HandoffOut:
    """Hand a lead over by a person's decision; the playbook's suppressions still apply."""
    row = hand_over(work, asked.lead_id, asked.reason, context, np.random.default_rng())
    return _done(work, row.handoff_id, "handed over", context)


def _done(work: UnitOfWork, handoff_id: int, action: str, context: ActionContext) -> HandoffOut:
    """Note who did it, and give the handoff as it is by now."""
    note_action(work, action, handoff_id, context)
    return shape_handoff(work, get_handoff(work, handoff_id), context.at)


@action_route("/{handoff_id}/accept", "Take the lead", WORKS, audited=False)
def accept(work: Work, context: InActionContext, handoff_id: OwnHandoff) -> HandoffOut:
    """Record that the seller took the lead."""
    answer.accept(work, handoff_id, context)
    return _done(work, handoff_id, "accepted", context)


@action_route("/{handoff_id}/reject", "Do not take the lead", WORKS)
def reject(
    work: Work, context: InActionContext, handoff_id: OwnHandoff, asked: ReturnIn
) -> HandoffOut:
    """Record that sales does not take the lead, and why."""
    give_back.reject(work, handoff_id, asked.reason, asked.note, context)
    return _done(work, handoff_id, "rejected", context)


@action_route("/{handoff_id}/hand-on", "Let another seller have the lead", WORKS)
def hand_on(
    work: Work, context: InActionContext, handoff_id: OwnHandoff, asked: NoteIn
) -> HandoffOut:
    """Record that the seller cannot take it now; this does not judge the lead."""
    answer.hand_on(work, handoff_id, asked.note, context)
    return _done(work, handoff_id, "handed on", context)


@action_route("/{handoff_id}/ask", "Ask marketing something", WORKS)
def ask(
    work: Work, context: InActionContext, handoff_id: OwnHandoff, asked: QuestionIn
) -> HandoffOut:
    """Ask marketing; sales' clock pauses until it is supplied."""
    answer.ask(work, handoff_id, asked.question, context)
    return _done(work, handoff_id, "asked", context)


@action_route("/{handoff_id}/supply", "Supply what was missing or asked", HANDS_OVER)
def supply(
    work: Work, context: InActionContext, handoff_id: HandoffId, asked: NoteIn
) -> HandoffOut:
    """Record that marketing supplied it; the packet is rebuilt from what is known now."""
    answer.supply(work, handoff_id, asked.note, context)
    return _done(work, handoff_id, "supplied", context)


@action_route("/{handoff_id}/release", "Let a held packet go as it is", HANDS_OVER)
def release(
    work: Work, context: InActionContext, handoff_id: HandoffId, asked: NoteIn
) -> HandoffOut:
    """Let a packet that was held back go to sales without what it lacks."""
    answer.release(work, handoff_id, asked.note, context)
    return _done(work, handoff_id, "released", context)


@action_route("/{handoff_id}/withdraw", "Take a handoff back", HANDS_OVER)
def withdraw(
    work: Work, context: InActionContext, handoff_id: HandoffId, asked: ReasonIn
) -> HandoffOut:
    """Take a handoff back: a duplicate, do not contact."""
    give_back.withdraw(work, handoff_id, asked.reason, context)
    return _done(work, handoff_id, "withdrawn", context)


@action_route("/{handoff_id}/assign", "Give the handoff to a seller by hand", ASSIGNS)
def assign_to(
    work: Work, context: InActionContext, handoff_id: HandoffId, asked: AssignIn
) -> HandoffOut:
    """Assign a handoff to a chosen seller: outside the rotation, but counted."""
    assign(work, handoff_id, asked.seller, asked.reason, context)
    return _done(work, handoff_id, "assigned", context)


@action_route("/{handoff_id}/attempts", "Log an attempt to reach the lead", WORKS, status_code=201)
def attempt(
    work: Work, context: InActionContext, handoff_id: OwnHandoff, asked: AttemptIn
) -> AttemptLogged:
    """Log an attempt, once; the first one also accepts the lead."""
    tried = pursue.Tried(
        asked.at or context.at, asked.channel.value, asked.result, asked.attempt_id
    )
    row, is_new = pursue.log_attempt(work, handoff_id, tried, context)
    return AttemptLogged(handoff=shape_handoff(work, row, context.at), is_new=is_new)


@action_route("/{handoff_id}/qualify", "Record the qualification: a SQL", WORKS)
def qualify(
    work: Work, context: InActionContext, handoff_id: OwnHandoff, asked: QualifyIn
) -> HandoffOut:
    """Record need, budget, authority and timeline; refused unless the agreed definition is met."""
    pursue.qualify(work, handoff_id, asked.answers, context)
    return _done(work, handoff_id, "qualified", context)


@action_route("/{handoff_id}/give-back", "Give a lead back that was taken", WORKS)
def return_it(
    work: Work, context: InActionContext, handoff_id: OwnHandoff, asked: ReturnIn
) -> HandoffOut:
    """Return a lead with a reason; the playbook sets its track and cooling-down time."""
    give_back.give_back(work, handoff_id, asked.reason, asked.note, context)
    return _done(work, handoff_id, "given back", context)


@action_route("/{handoff_id}/give-up", "Give up a lead nobody could reach", WORKS)
def give_up(
    work: Work, context: InActionContext, handoff_id: OwnHandoff, asked: NoteIn
) -> HandoffOut:
    """Give a lead up after the attempts that were agreed; refused before."""
    give_back.give_up(work, handoff_id, asked.note, context)
    return _done(work, handoff_id, "given up", context)


@action_route("/{handoff_id}/open-deal", "An opportunity is open", WORKS, audited=False)
def open_deal(work: Work, context: InActionContext, handoff_id: OwnHandoff) -> HandoffOut:
    """Record that an opportunity is open."""
    pursue.open_deal(work, handoff_id, context)
    return _done(work, handoff_id, "opened a deal", context)


@action_route("/{handoff_id}/win", "The lead became a customer", WORKS, audited=False)
def win(work: Work, context: InActionContext, handoff_id: OwnHandoff) -> HandoffOut:
    """Record that the lead was won."""
    pursue.win(work, handoff_id, context)
    return _done(work, handoff_id, "won", context)


@action_route("/{handoff_id}/lose", "The deal was lost", WORKS)
def lose(
    work: Work, context: InActionContext, handoff_id: OwnHandoff, asked: ReasonIn
) -> HandoffOut:
    """Record that the deal was lost; the lead goes back to marketing."""
    pursue.lose(work, handoff_id, asked.reason, context, asked.note)
    return _done(work, handoff_id, "lost", context)
