"""GET /v1/sellers: who takes leads, who asks in their name, and when they are away."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Path as PathParameter
from sqlalchemy import func, select
from starlette.responses import Response

from serving.auth.guard import require
from serving.handoff.api.dependencies import InActionContext
from serving.handoff.api.schemas import (
    MOST_NUMBER,
    AbsenceIn,
    AbsenceOut,
    ActorIn,
    SellerOut,
    SellerPath,
    Sellers,
)
from serving.handoff.lifecycle.sellers import (
    add_absence,
    ensure_sellers,
    list_sellers,
    name_actor,
    remove_absence,
)
from serving.handoff.playbook.repository import read_agreed
from serving.store.audit_log import note
from serving.store.dependencies import Reading, Work
from serving.store.tables import Handoff
from serving.web_api.dependencies import check_json
from serving.web_api.openapi import describe_problems

router = APIRouter(prefix="/v1/sellers", tags=["handoffs"])
ASSIGNS, JSON = require("handoffs:assign"), Depends(check_json)
REFUSED = describe_problems(401, 403, 404, 409, 415, 422, 503)
AbsenceId = Annotated[int, PathParameter(ge=1, le=MOST_NUMBER)]


@router.get(
    "",
    summary="Who takes leads",
    dependencies=[require("handoffs:read")],
    responses=describe_problems(401, 503),
)
def sellers(work: Reading) -> Sellers:
    """List the sellers the playbook in effect names, with their open handoffs and absences."""
    asked = select(Handoff.seller_id, func.count()).where(Handoff.closed_at.is_(None))
    held = {row[0]: row[1] for row in work.session.execute(asked.group_by(Handoff.seller_id))}
    return Sellers(
        sellers=[
            SellerOut(
                seller_id=row.seller_id,
                team=row.team,
                actor=row.actor,
                open_handoffs=held.get(row.seller_id, 0),
                last_given_at=row.last_given_at,
                absences=[
                    AbsenceOut(absence_id=a.absence_id, first=a.first_day, last=a.last_day)
                    for a in absences
                ],
            )
            for row, absences in list_sellers(work)
        ]
    )


@router.put(
    "/{seller_id}/actor",
    status_code=204,
    summary="Say who asks in a seller's name",
    dependencies=[ASSIGNS, JSON],
    responses=REFUSED,
)
def set_actor(
    work: Work, context: InActionContext, seller_id: SellerPath, asked: ActorIn
) -> Response:
    """Set which person or key acts for this seller."""
    ensure_sellers(work, read_agreed(work), context.at)
    name_actor(work, seller_id, asked.actor)
    note(
        work,
        by=context.by,
        action="named",
        subject_kind="seller",
        subject_id=asked.actor,
        at=context.at,
    )
    return Response(status_code=204)


@router.post(
    "/{seller_id}/absences",
    status_code=201,
    summary="Note that a seller is away",
    dependencies=[ASSIGNS, JSON],
    responses=REFUSED,
)
def note_absence(
    work: Work, context: InActionContext, seller_id: SellerPath, asked: AbsenceIn
) -> AbsenceOut:
    """Record days on which a seller is away; their clocks pause."""
    ensure_sellers(work, read_agreed(work), context.at)
    row = add_absence(work, seller_id, asked.first, asked.last, by=context.by, at=context.at)
    return AbsenceOut(absence_id=row.absence_id, first=row.first_day, last=row.last_day)


@router.delete(
    "/{seller_id}/absences/{absence_id}",
    status_code=204,
    summary="Take an absence back",
    dependencies=[ASSIGNS],
    responses=REFUSED,
)
def end_absence(
    work: Work, context: InActionContext, seller_id: SellerPath, absence_id: AbsenceId
) -> Response:
    """Remove an absence."""
    remove_absence(work, seller_id, absence_id, context.at)
    return Response(status_code=204)
