"""DELETE /v1/leads/{lead_id} and GET /v1/leads/{lead_id}/export."""

from datetime import datetime

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from serving.auth.guard import Caller, allow_acting, require
from serving.errors import NotFoundError
from serving.privacy.erase import erase
from serving.privacy.export import export
from serving.store.dependencies import Work
from serving.web_api.dependencies import Now
from serving.web_api.openapi import describe_problems
from serving.web_api.text_types import LeadId

router = APIRouter(prefix="/v1", tags=["privacy"])


class ErasedOut(BaseModel):
    """What was erased."""

    leads: int = Field(description="The lead, and those that were merged with it.")
    rows: dict[str, int] = Field(description="Rows deleted or emptied, by table.")
    erased_at: datetime


@router.delete(
    "/leads/{lead_id}",
    summary="Erase a person",
    dependencies=[require("personal_data:erase")],
    responses=describe_problems(422, 503),
)
def erase_lead(lead_id: LeadId, caller: Caller, work: Work, now: Now) -> ErasedOut:
    """Erase the lead, all leads merged with it, and every mention of them in the store.

    What arrives for them later is dropped. An unknown person is erased in advance.
    """
    erased = erase(work, lead_id, by=caller.actor, at=now)
    return ErasedOut(leads=erased.leads, rows=erased.rows, erased_at=erased.erased_at)


@router.get(
    "/leads/{lead_id}/export",
    summary="All that is held on a person",
    dependencies=[allow_acting("personal_data:export")],  # who asked is noted in the audit log
    response_class=Response,
    responses={
        200: {"content": {"application/json": {}}, "description": "Every row, by table."},
        **describe_problems(404, 422, 503),
    },
)
def export_lead(lead_id: LeadId, caller: Caller, work: Work, now: Now) -> Response:
    """Give every row that is held on a person, and on the leads merged with theirs."""
    held = export(work, lead_id, by=caller.actor, at=now)
    if held is None:
        raise NotFoundError("Nothing is held on a lead of that id.")
    return Response(msgspec.json.encode(held), media_type="application/json")
