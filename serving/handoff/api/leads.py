"""GET /v1/leads/{id}/definitions and /decisions: what a lead is by agreement, and what was decided of it."""

from fastapi import APIRouter

from serving.auth.guard import require
from serving.handoff.api.queries import find_track, list_decisions
from serving.handoff.api.schemas import (
    CriterionOut,
    DecisionOut,
    DecisionPage,
    DefinitionsOut,
    StageOut,
)
from serving.handoff.decision.definitions import run_definitions
from serving.handoff.lifecycle.lead_facts import read_lead_facts
from serving.handoff.playbook.repository import read_agreed
from serving.leads.cursors import read_cursor, read_cursor_number, write_cursor
from serving.leads.queries import get_lead, list_members
from serving.leads.schemas import AsOf, Cursor, Limit
from serving.store.dependencies import Reading
from serving.web_api.dependencies import Now
from serving.web_api.openapi import describe_problems
from serving.web_api.text_types import LeadId

router = APIRouter(
    prefix="/v1/leads",
    tags=["handoffs"],
    dependencies=[require("handoffs:read")],
    responses=describe_problems(401, 404, 422, 503),
)


@router.get("/{lead_id}/definitions", summary="What a lead is by the agreed definitions")
def definitions(work: Reading, now: Now, lead_id: LeadId, as_of: AsOf = None) -> DefinitionsOut:
    """Evaluate the criteria, now or as of any moment: met, failed or unknown.

    The playbook in effect now is used, whatever the moment.
    """
    agreed = read_agreed(work)
    moment = as_of or now
    known = read_lead_facts(work, lead_id, moment, agreed.playbook.kinds, is_now=as_of is None)
    found = run_definitions(agreed.playbook, known.facts)
    return DefinitionsOut(
        lead_id=known.lead_id,
        as_of=moment,
        playbook_version=agreed.version,
        fit=found.fit.grade,
        fit_possible=list(found.fit.possible),
        fit_because=found.fit.because,
        persona=found.persona.words,
        persona_because=found.persona.because,
        segment=found.segment,
        criteria=[
            CriterionOut(name=one.name, verdict=one.verdict.value, because=one.because)
            for one in found.criteria.values()
        ],
        stages={
            stage.stage.value: StageOut(verdict=stage.verdict.value, because=stage.because)
            for stage in (found.mql, found.sal, found.sql)
        },
    )


@router.get("/{lead_id}/decisions", summary="What was decided of a lead, and why")
def decisions(
    work: Reading, lead_id: LeadId, cursor: Cursor = None, limit: Limit = 50
) -> DecisionPage:
    """List decisions to hand a lead over or to keep it, newest first.

    Repeated decisions to keep it for the same causes are recorded once a day.
    """
    lead = get_lead(work, lead_id)
    before = None
    if cursor is not None:
        before = read_cursor_number(read_cursor("decisions", cursor, 1)[0])
    rows = list_decisions(work, list_members(work, lead.lead_id), before, limit + 1)
    names = list(DecisionOut.model_fields)
    listed = [
        DecisionOut.model_validate({name: getattr(row, name) for name in names})
        for row in rows[:limit]
    ]
    track = find_track(work, lead.lead_id)
    return DecisionPage(
        lead_id=lead.lead_id,
        track=None if track is None else track.track,
        rests_until=None if track is None else track.rests_until,
        decisions=listed,
        next=(
            write_cursor("decisions", listed[-1].decision_number) if len(rows) > limit else None
        ),
    )
