"""Deciding about a lead, and handing it over: decision, packet, queue, seller, all in one unit of work."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import delete, func, select

from serving.handoff.clocks.rules import find_priority
from serving.handoff.decision.conditions import Verdict as Holds
from serving.handoff.decision.definitions import Definitions, run_definitions
from serving.handoff.decision.rules import (
    Decision,
    HandoffFacts,
    ManualRequest,
    Rules,
    Verdict,
    decide,
)
from serving.handoff.lifecycle.announce import announce
from serving.handoff.lifecycle.assign import seek_seller
from serving.handoff.lifecycle.context import Occasion
from serving.handoff.lifecycle.errors import NotHandedOverError
from serving.handoff.lifecycle.lead_facts import Known, read_known, say_kinds
from serving.handoff.lifecycle.record import lock_lead, take
from serving.handoff.machine.transitions import Signal, State
from serving.handoff.packet.build import Packet, PacketFacts, build_packet
from serving.handoff.playbook.kept import Agreed, read_agreed
from serving.handoff.playbook.playbook import ASKS_FOR_SALES
from serving.handoff.playbook.sections.triggers import Suppression, Trigger
from serving.leads.queries import get_lead
from serving.store.session import UnitOfWork
from serving.store.tables import Decision as DecisionRow
from serving.store.tables import Handoff, NurtureTrack

FORMS = frozenset({"form_submit", "demo_request", "contact_request"})
KEPT_AGAIN_AFTER = timedelta(days=1)
"""The same decision to keep a lead is written down again after so long."""


@dataclass(frozen=True)
class Outcome:
    """What was decided of a lead, and the handoff that came of it."""

    lead_id: str
    decision: Decision
    handoff: Handoff | None


def decide_lead(
    work: UnitOfWork,
    lead_id: str,
    occasion: Occasion,
    rng: np.random.Generator,
    *,
    contract: str | None = None,
    manual: ManualRequest | None = None,
) -> Outcome:
    """Decide about a lead now, under its lock, and hand it over if that is the decision.

    Parameters
    ----------
    work
        The unit of work all of it belongs to.
    lead_id
        The lead, or one that was merged into it.
    occasion
        When and by whom.
    rng
        For the draw of the exploration.
    contract
        Which score counts; the latest of any, if left out.
    manual
        That somebody wants it handed over.

    Raises
    ------
    LeadNotFoundError
        If there is no such lead.
    """
    lead_id = get_lead(work, lead_id).lead_id
    lock_lead(work, lead_id)
    agreed = read_agreed(work)
    known = read_known(work, lead_id, occasion.at, agreed.playbook.kinds, contract)
    found = run_definitions(agreed.playbook, known.facts)
    rules = Rules(agreed.playbook.triggers, agreed.playbook.returns, agreed.version)
    decision = replace(decide(_gather(known, found, manual), rules, rng), at=occasion.at)
    row = None
    if decision.verdict is Verdict.HAND_OFF:
        row = _open(work, known, found, decision, agreed, occasion)
    _keep_decision(work, known, decision, row, occasion)
    if row is not None and State(row.state) is State.QUEUED:
        seek_seller(work, row, occasion)
    return Outcome(known.lead_id, decision, row)


def hand_over(
    work: UnitOfWork, lead_id: str, reason: str, occasion: Occasion, rng: np.random.Generator
) -> Handoff:
    """Hand a lead over since somebody wants it, and says why.

    Raises
    ------
    NotHandedOverError
        If the agreed rules keep it, with the decision's sentence.
    """
    manual = ManualRequest(occasion.by, reason)
    outcome = decide_lead(work, lead_id, occasion, rng, manual=manual)
    if outcome.handoff is None:
        raise NotHandedOverError(outcome.decision.because)
    return outcome.handoff


def _gather(known: Known, found: Definitions, manual: ManualRequest | None) -> HandoffFacts:
    mql = found.mql
    return HandoffFacts(
        at=known.look,
        score=known.score,
        timing=known.timing,
        mql=mql.verdict.value,
        mql_because="" if mql.verdict is Holds.MET else _shorten(mql.because),
        activities=known.activities,
        manual=manual,
        open_handoff=known.in_hand,
        earlier=known.earlier[-1] if known.earlier else None,
        customer=known.stage == "won" or known.is_so("is_customer", "customer"),
        competitor=known.is_so("is_competitor", "competitor"),
        do_not_contact=known.is_so("do_not_contact")
        or any(event.kind == "unsubscribe_all" for event in known.facts.events),
        drawn=known.drawn,
    )


def _shorten(because: str) -> str:
    """Leave out that the definition is not met: the decision's sentence says so itself."""
    return because.partition(". ")[2] or because


def _open(
    work: UnitOfWork,
    known: Known,
    found: Definitions,
    decision: Decision,
    agreed: Agreed,
    occasion: Occasion,
) -> Handoff:
    """Open a handoff with its packet, and offer it to sales unless the packet is held back."""
    packet = _build_packet(known, found, decision, agreed)
    trigger = decision.trigger or Trigger.MANUAL
    segments = [name for name in (found.segment,) if name]
    if trigger is Trigger.HAND_RAISER:
        segments.append(ASKS_FOR_SALES)
    band = known.score.band if known.score else None
    priority = find_priority(agreed.playbook.sla, trigger=trigger, band=band, segments=segments)
    row = Handoff(
        lead_id=known.lead_id,
        cycle=_count(work, known) + 1,
        state=State.DECIDED.value,
        since=occasion.at,
        trigger=trigger.value,
        because=decision.because,
        playbook_version=agreed.version,
        decided_at=occasion.at,
        packet=packet.to_json(),
        definition=_say_definition(found),
        segments=segments,
        source=packet.source,
        form=_find_form(known),
        priority=priority.name,
        value=known.worth,
    )
    work.session.add(row)
    work.session.execute(delete(NurtureTrack).where(NurtureTrack.lead_id.in_(known.members)))
    work.session.flush()
    if packet.held:
        number = take(work, row, Signal.HOLD, occasion)
        missing = [one.field.value for one in packet.missing if one.holds]
        announce(work, row, "handoff.held", f"held:{number}", occasion.at, missing=missing)
    else:
        take(work, row, Signal.HAND_OVER, occasion)
    return row


def _count(work: UnitOfWork, known: Known) -> int:
    asked = select(func.count()).where(Handoff.lead_id.in_(known.members))
    return work.session.scalars(asked).one()


def _say_definition(found: Definitions) -> dict[str, Any]:
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


def _find_form(known: Known) -> str | None:
    forms = [a.name for a in known.activities if a.kind in FORMS and a.name]
    return forms[-1] if forms else None


def _build_packet(known: Known, found: Definitions, decision: Decision, agreed: Agreed) -> Packet:
    email = known.find_attribute("email", "email_domain_kind")
    phone = known.find_attribute("phone", "has_phone")
    return build_packet(
        PacketFacts(
            lead_id=known.lead_id,
            at=known.look,
            decision=decision,
            stage=known.stage.value.upper(),
            stage_since=known.stage_since,
            persona=found.persona.words,
            persona_because=found.persona.because,
            job_title=known.find_attribute("job_title"),
            company=known.find_attribute("company"),
            source=known.find_attribute("source", "lead_source"),
            campaign=known.find_attribute("campaign"),
            product=known.find_attribute("product_interest", "product"),
            can_be_called=None if phone is None else phone.lower() not in {"false", "no"},
            can_be_written=None if email is None else True,
            points=known.score.points if known.score else None,
            band=known.score.band if known.score else None,
            reasons=known.reasons,
            activities=known.activities,
            moments=known.attempts,
            earlier=known.earlier,
            kind_words=say_kinds(agreed.playbook.kinds),
        ),
        agreed.playbook.packet,
    )


def rebuild_packet(work: UnitOfWork, row: Handoff, occasion: Occasion, agreed: Agreed) -> Packet:
    """Build a handoff's packet anew, from what is known by now."""
    known = read_known(work, row.lead_id, occasion.at, agreed.playbook.kinds)
    found = run_definitions(agreed.playbook, known.facts)
    decision = Decision(
        Verdict.HAND_OFF,
        row.because,
        Trigger(row.trigger),
        (Trigger(row.trigger),),
        (),
        None,
        row.playbook_version,
        row.decided_at,
    )
    packet = _build_packet(known, found, decision, agreed)
    row.packet = packet.to_json()
    return packet


def _keep_decision(
    work: UnitOfWork, known: Known, decision: Decision, row: Handoff | None, occasion: Occasion
) -> None:
    """Write a decision down, unless it only repeats the newest one within a day."""
    newest = work.session.scalars(
        select(DecisionRow)
        .where(DecisionRow.lead_id == known.lead_id)
        .order_by(DecisionRow.decision_number.desc())
        .limit(1)
    ).first()
    kept = DecisionRow(
        lead_id=known.lead_id,
        at=occasion.at,
        verdict=decision.verdict.value,
        because=decision.because,
        trigger=decision.trigger.value if decision.trigger else None,
        triggers=[trigger.value for trigger in decision.triggers],
        suppressions=[suppression.value for suppression in decision.suppressions],
        propensity=decision.propensity,
        playbook_version=decision.version,
        points=known.score.points if known.score else None,
        band=known.score.band if known.score else None,
        by=occasion.by,
        handoff_id=row.handoff_id if row is not None else None,
    )
    if newest is None or _is_news(newest, kept):
        work.session.add(kept)
        work.session.flush()


def _is_news(newest: DecisionRow, kept: DecisionRow) -> bool:
    if kept.verdict == Verdict.HAND_OFF.value or kept.propensity is not None:
        return True
    in_hand = Suppression.ALREADY_IN_HAND.value
    if in_hand in kept.suppressions and newest.handoff_id is not None:
        # Its handoff says all there is to say of a lead in hand.
        return False
    same = ("verdict", "triggers", "suppressions", "playbook_version")
    if any(getattr(newest, name) != getattr(kept, name) for name in same):
        return True
    return kept.at - newest.at >= KEPT_AGAIN_AFTER
