"""Deciding about a lead, and handing it over: decision, packet, queue, seller, all in one unit of work."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import delete, func, select

from serving.handoff.clocks.rules import find_priority
from serving.handoff.decision.activity import asks_for_no_contact
from serving.handoff.decision.conditions import ConditionResult as Holds
from serving.handoff.decision.definitions import Definitions, run_definitions
from serving.handoff.decision.rules import (
    HandoffDecision,
    HandoffFacts,
    HandoffVerdict,
    ManualRequest,
    Rules,
    decide,
)
from serving.handoff.lifecycle.assign import seek_seller
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.enqueue import enqueue_event
from serving.handoff.lifecycle.errors import NotHandedOverError
from serving.handoff.lifecycle.lead_facts import LeadFacts, list_kind_words, read_lead_facts
from serving.handoff.lifecycle.record import apply_transition, lock_lead
from serving.handoff.machine.transitions import Signal, State
from serving.handoff.packet.build import Packet, PacketFacts, build_packet
from serving.handoff.playbook.playbook import ASKS_FOR_SALES
from serving.handoff.playbook.repository import Agreed, read_agreed
from serving.handoff.playbook.sections.triggers import Suppression, Trigger
from serving.leads.queries import get_lead
from serving.store.session import UnitOfWork
from serving.store.tables import Decision as DecisionRow
from serving.store.tables import Handoff, NurtureTrack

FORMS = frozenset({"form_submit", "demo_request", "contact_request"})
KEPT_AGAIN_AFTER = timedelta(days=1)
"""The same decision to keep a lead is written down again after so long."""


@dataclass(frozen=True)
class DecisionOutcome:
    """What was decided of a lead, and the handoff that came of it."""

    lead_id: str
    decision: HandoffDecision
    handoff: Handoff | None


def decide_lead(
    work: UnitOfWork,
    lead_id: str,
    context: ActionContext,
    rng: np.random.Generator,
    *,
    contract: str | None = None,
    manual: ManualRequest | None = None,
    unagreed: bool = False,
) -> DecisionOutcome:
    """Decide about a lead now, under its lock, and hand it over if that is the decision.

    As long as no playbook is agreed by both sides, a lead that it would hand over is only proposed.

    Parameters
    ----------
    work
        The unit of work all of it belongs to.
    lead_id
        The lead, or one that was merged into it.
    context
        When and by whom.
    rng
        For the draw of the exploration.
    contract
        Which score counts; the latest of any, if left out.
    manual
        That somebody wants it handed over; a person's word needs no agreed playbook.
    unagreed
        Whether to hand over by the playbook that ships with Baton, too, which nobody has agreed to.

    Raises
    ------
    LeadNotFoundError
        If there is no such lead.
    """
    lead_id = get_lead(work, lead_id).lead_id
    lock_lead(work, lead_id)
    agreed = read_agreed(work)
    lead_facts = read_lead_facts(work, lead_id, context.at, agreed.playbook.kinds, contract)
    found = run_definitions(agreed.playbook, lead_facts.facts)
    rules = Rules(
        agreed.playbook.triggers,
        agreed.playbook.returns,
        agreed.version,
        hands_over=agreed.is_agreed or unagreed,
    )
    decision = replace(decide(_gather(lead_facts, found, manual), rules, rng), at=context.at)
    row = None
    if decision.verdict is HandoffVerdict.HAND_OFF:
        row = _open(work, lead_facts, found, decision, agreed, context)
    _keep_decision(work, lead_facts, decision, row, context)
    if row is not None and State(row.state) is State.QUEUED:
        seek_seller(work, row, context)
    return DecisionOutcome(lead_facts.lead_id, decision, row)


def hand_over(
    work: UnitOfWork, lead_id: str, reason: str, context: ActionContext, rng: np.random.Generator
) -> Handoff:
    """Hand a lead over since somebody wants it, and says why.

    Raises
    ------
    NotHandedOverError
        If the agreed rules keep it, with the decision's sentence.
    """
    manual = ManualRequest(context.by, reason)
    outcome = decide_lead(work, lead_id, context, rng, manual=manual)
    if outcome.handoff is None:
        raise NotHandedOverError(outcome.decision.because)
    return outcome.handoff


def _gather(
    lead_facts: LeadFacts, found: Definitions, manual: ManualRequest | None
) -> HandoffFacts:
    mql = found.mql
    return HandoffFacts(
        at=lead_facts.look,
        score=lead_facts.score,
        timing=lead_facts.timing,
        mql=mql.verdict.value,
        mql_because="" if mql.verdict is Holds.MET else _shorten(mql.because),
        activities=lead_facts.activities,
        manual=manual,
        open_handoff=lead_facts.in_hand,
        earlier=lead_facts.earlier[-1] if lead_facts.earlier else None,
        customer=lead_facts.stage == "won" or lead_facts.is_so("is_customer", "customer"),
        competitor=lead_facts.is_so("is_competitor", "competitor"),
        do_not_contact=lead_facts.is_so("do_not_contact")
        or any(asks_for_no_contact(activity) for activity in lead_facts.activities),
        drawn=lead_facts.drawn,
    )


def _shorten(because: str) -> str:
    """Leave out that the definition is not met: the decision's sentence says so itself."""
    return because.partition(". ")[2] or because


def _open(
    work: UnitOfWork,
    lead_facts: LeadFacts,
    found: Definitions,
    decision: HandoffDecision,
    agreed: Agreed,
    context: ActionContext,
) -> Handoff:
    """Open a handoff with its packet, and offer it to sales unless the packet is held back."""
    packet = _build_packet(lead_facts, found, decision, agreed)
    trigger = decision.trigger or Trigger.MANUAL
    segments = [name for name in (found.segment,) if name]
    if trigger is Trigger.HAND_RAISER:
        segments.append(ASKS_FOR_SALES)
    band = lead_facts.score.band if lead_facts.score else None
    priority = find_priority(agreed.playbook.sla, trigger=trigger, band=band, segments=segments)
    row = Handoff(
        lead_id=lead_facts.lead_id,
        cycle=_count(work, lead_facts) + 1,
        state=State.DECIDED.value,
        since=context.at,
        trigger=trigger.value,
        because=decision.because,
        playbook_version=agreed.version,
        decided_at=context.at,
        packet=packet.to_json(),
        definition=_describe_definition(found),
        segments=segments,
        source=packet.source,
        form=_find_form(lead_facts),
        priority=priority.name,
        value=lead_facts.worth,
    )
    work.session.add(row)
    work.session.execute(delete(NurtureTrack).where(NurtureTrack.lead_id.in_(lead_facts.members)))
    work.session.flush()
    if packet.held:
        number = apply_transition(work, row, Signal.HOLD, context)
        missing = [one.field.value for one in packet.missing if one.holds]
        enqueue_event(work, row, "handoff.held", f"held:{number}", context.at, missing=missing)
    else:
        apply_transition(work, row, Signal.HAND_OVER, context)
    return row


def _count(work: UnitOfWork, lead_facts: LeadFacts) -> int:
    asked = select(func.count()).where(Handoff.lead_id.in_(lead_facts.members))
    return work.session.scalars(asked).one()


def _describe_definition(found: Definitions) -> dict[str, Any]:
    return {
        "mql": found.mql.verdict.value,
        "because": found.mql.because,
        "met": list(found.mql.met),
        "failing": list(found.mql.failing),
        "unknown": list(found.mql.unknown),
        "fit": found.fit.grade,
        "persona": found.persona.name,
        "segment": found.segment,
    }


def _find_form(lead_facts: LeadFacts) -> str | None:
    forms = [a.name for a in lead_facts.activities if a.kind in FORMS and a.name]
    return forms[-1] if forms else None


def _build_packet(
    lead_facts: LeadFacts, found: Definitions, decision: HandoffDecision, agreed: Agreed
) -> Packet:
    email = lead_facts.find_attribute("email", "email_domain_kind")
    phone = lead_facts.find_attribute("phone", "has_phone")
    return build_packet(
        PacketFacts(
            lead_id=lead_facts.lead_id,
            at=lead_facts.look,
            decision=decision,
            stage=lead_facts.stage.value.upper(),
            stage_since=lead_facts.stage_since,
            persona=found.persona.words,
            persona_because=found.persona.because,
            job_title=lead_facts.find_attribute("job_title"),
            company=lead_facts.find_attribute("company"),
            source=lead_facts.find_attribute("source", "lead_source"),
            campaign=lead_facts.find_attribute("campaign"),
            product=lead_facts.find_attribute("product_interest", "product"),
            can_be_called=None if phone is None else phone.lower() not in {"false", "no"},
            can_be_written=None if email is None else True,
            points=lead_facts.score.points if lead_facts.score else None,
            band=lead_facts.score.band if lead_facts.score else None,
            reasons=lead_facts.reasons,
            activities=lead_facts.activities,
            moments=lead_facts.attempts,
            earlier=lead_facts.earlier,
            kind_words=list_kind_words(agreed.playbook.kinds),
        ),
        agreed.playbook.packet,
    )


def rebuild_packet(
    work: UnitOfWork, row: Handoff, context: ActionContext, agreed: Agreed
) -> Packet:
    """Build a handoff's packet anew, from what is known by now."""
    lead_facts = read_lead_facts(work, row.lead_id, context.at, agreed.playbook.kinds)
    found = run_definitions(agreed.playbook, lead_facts.facts)
    decision = HandoffDecision(
        HandoffVerdict.HAND_OFF,
        row.because,
        Trigger(row.trigger),
        (Trigger(row.trigger),),
        (),
        None,
        row.playbook_version,
        row.decided_at,
    )
    packet = _build_packet(lead_facts, found, decision, agreed)
    row.packet = packet.to_json()
    return packet


def _keep_decision(
    work: UnitOfWork,
    lead_facts: LeadFacts,
    decision: HandoffDecision,
    row: Handoff | None,
    context: ActionContext,
) -> None:
    """Write a decision down, unless it only repeats the newest one within a day."""
    newest = work.session.scalars(
        select(DecisionRow)
        .where(DecisionRow.lead_id == lead_facts.lead_id)
        .order_by(DecisionRow.decision_number.desc())
        .limit(1)
    ).first()
    kept = DecisionRow(
        lead_id=lead_facts.lead_id,
        at=context.at,
        verdict=decision.verdict.value,
        because=decision.because,
        trigger=decision.trigger.value if decision.trigger else None,
        triggers=[trigger.value for trigger in decision.triggers],
        suppressions=[suppression.value for suppression in decision.suppressions],
        propensity=decision.propensity,
        playbook_version=decision.version,
        points=lead_facts.score.points if lead_facts.score else None,
        band=lead_facts.score.band if lead_facts.score else None,
        by=context.by,
        handoff_id=row.handoff_id if row is not None else None,
    )
    if newest is None or _is_news(newest, kept):
        work.session.add(kept)
        work.session.flush()


def _is_news(newest: DecisionRow, kept: DecisionRow) -> bool:
    if kept.verdict == HandoffVerdict.HAND_OFF.value or kept.propensity is not None:
        return True
    in_hand = Suppression.ALREADY_IN_HAND.value
    if in_hand in kept.suppressions and newest.handoff_id is not None:
        # Its handoff says all there is to say of a lead in hand.
        return False
    same = ("verdict", "triggers", "suppressions", "playbook_version")
    if any(getattr(newest, name) != getattr(kept, name) for name in same):
        return True
    return kept.at - newest.at >= KEPT_AGAIN_AFTER
