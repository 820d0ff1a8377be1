"""POST /v1/leads/{lead_id}/merge, GET /v1/leads/{lead_id}/merges, POST /v1/merges/{merge_id}/undo."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from serving.auth.guard import Caller, require
from serving.intake.api.records import With
from serving.intake.identity.merging import (
    Actor,
    MergeRecord,
    list_merges,
    merge_leads,
    undo_merge,
)
from serving.store.dependencies import Reading, Work
from serving.web_api.dependencies import check_json
from serving.web_api.openapi import describe_answers
from serving.web_api.text_types import NO_NUL, LeadId

router = APIRouter(prefix="/v1", tags=["merges"], dependencies=[require("leads:merge")])

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=NO_NUL)
]
MergeId = Annotated[int, Path(ge=1, le=2**53)]


class MergeIn(BaseModel):
    """Which lead becomes part of the one in the address."""

    model_config = ConfigDict(extra="forbid", strict=True)

    lead_id: Text = Field(description="The lead that becomes part of the other.")
    because: Text = Field("somebody said so", description="Why they are one, in a sentence.")
    although_both_known: bool = Field(
        default=False,
        description="Needed where each was sent as a lead of its own: nothing else shows that they "
        "are one person.",
    )


class Merges(msgspec.Struct):
    """The merges a lead took part in, oldest first; undone ones too."""

    merges: list[MergeRecord]


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")


@router.post(
    "/leads/{lead_id}/merge",
    summary="Merge another lead into this one",
    response_class=Response,
    dependencies=[Depends(check_json)],
    responses=describe_answers("MergeRecord", 401, 404, 409, 410, 415, 422, 503),
)
def merge(lead_id: LeadId, asked: MergeIn, work: Work, intake: With, caller: Caller) -> Response:
    """Merge two leads. No record is lost: the merge can be undone."""
    actor = Actor(caller.actor, intake.received_at)
    both_known = asked.although_both_known
    return _json(
        merge_leads(work, lead_id, asked.lead_id, asked.because, actor, both_known=both_known)
    )


@router.get(
    "/leads/{lead_id}/merges",
    summary="Which leads this one was merged with",
    response_class=Response,
    responses=describe_answers("Merges", 401, 404, 410, 422, 503),
)
def merges(lead_id: LeadId, work: Reading) -> Response:
    """List the merges a lead took part in, including those made by tools."""
    return _json(Merges(list_merges(work, lead_id)))


@router.post(
    "/merges/{merge_id}/undo",
    summary="Make two leads of one again",
    response_class=Response,
    responses=describe_answers("MergeRecord", 401, 404, 409, 422, 503),
)
def undo(merge_id: MergeId, work: Work, intake: With, caller: Caller) -> Response:
    """Undo a merge: each lead has its own records again, including those received since."""
    return _json(undo_merge(work, merge_id, Actor(caller.actor, intake.received_at)))
