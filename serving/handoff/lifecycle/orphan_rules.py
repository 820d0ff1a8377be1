"""No lead in nobody's hands, none in two: find those that are, and how each is repaired. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from features.lifecycle.stages import Stage
from serving.handoff.machine.transitions import (
    OPEN,
    STATES,
    Clock,
    Custody,
    Signal,
    State,
    move_from,
)
from serving.handoff.playbook.sections.returns import Returns
from serving.handoff.wording import format_count


@dataclass(frozen=True)
class Holding:
    """A handoff that is not closed."""

    handoff_id: str
    state: State
    since: datetime
    """Of its last move or attempt."""
    seller: str | None = None
    next_at: datetime | None = None
    """When the next step or clock of it is due; None: nothing is planned."""


@dataclass(frozen=True)
class LeadOwnership:
    """Where a lead lies."""

    lead_id: str
    stage: Stage
    track: str | None = None
    """Nurture track it is on; its owner is marketing."""
    holdings: tuple[Holding, ...] = ()
    """Its open handoffs; one at most, or something is wrong."""
    do_not_contact: bool = False
    """Nobody may work it: marketing keeps it, and that is its place."""


class OwnershipAnomaly(StrEnum):
    """What is wrong with a lead's place."""

    IN_NO_HANDS = "in_no_hands"
    IN_TWO_HANDS = "in_two_hands"
    WITHOUT_SELLER = "without_seller"
    SELLER_GONE = "seller_gone"
    UNATTENDED = "unattended"


class OwnershipRepair(StrEnum):
    """How it is repaired."""

    NURTURE = "nurture"
    """Put the lead on a track."""
    WITHDRAW = "withdraw"
    """Withdraw the handoff: another one has the lead."""
    REASSIGN = "reassign"
    """Give the handoff back to the queue."""
    ESCALATE = "escalate"
    """Ask whoever leads the seller; a step is planned for it."""


ESCALATED_DAYS = 1.0
"""Days until it is looked at again that a lead has no seller; one that merely rests in a seller's
hands is looked at again after ``unattended_days``: a deal of months must not cry every morning."""


@dataclass(frozen=True)
class Orphan:
    """A lead whose place is wrong, and the one repair for it."""

    lead_id: str
    anomaly: OwnershipAnomaly
    repair: OwnershipRepair
    because: str
    handoff_id: str | None = None
    track: str | None = None
    again_days: float = ESCALATED_DAYS
    """Of an escalation: days until it is looked at again."""


def find_orphans(
    places: Iterable[LeadOwnership], sellers: Collection[str], section: Returns, at: datetime
) -> Iterator[Orphan]:
    """Find leads that lie in nobody's hands or in two, each with its repair.

    Parameters
    ----------
    places
        Where the leads lie.
    sellers
        Those who work here now.
    section
        ``[returns]`` of the playbook.
    at
        The moment of looking.
    """
    for place in places:
        yield from _find_anomaly(place, sellers, section, at)


def _find_anomaly(
    place: LeadOwnership, sellers: Collection[str], section: Returns, at: datetime
) -> Iterator[Orphan]:
    if not place.holdings:
        if _needs_track(place):
            yield Orphan(
                place.lead_id,
                OwnershipAnomaly.IN_NO_HANDS,
                OwnershipRepair.NURTURE,
                f"It is {place.stage.value}, on no track and in no handoff: it goes to the track "
                f"{section.orphan_track}.",
                track=section.orphan_track,
            )
        return
    kept = choose_survivor(place.holdings)
    for holding in place.holdings:
        if holding is not kept:
            yield Orphan(
                place.lead_id,
                OwnershipAnomaly.IN_TWO_HANDS,
                OwnershipRepair.WITHDRAW,
                f"Handoff {kept.handoff_id} has the lead too, and has come further: "
                f"{holding.handoff_id} is withdrawn.",
                holding.handoff_id,
            )
    anomaly = _find_unheld(place.lead_id, kept, sellers, section, at)
    if anomaly is not None:
        yield anomaly


def _needs_track(place: LeadOwnership) -> bool:
    return place.track is None and not place.do_not_contact and place.stage is not Stage.WON


def choose_survivor(holdings: Sequence[Holding]) -> Holding:
    """Choose which of several open handoffs keeps the lead: the furthest, then the oldest move."""
    order = list(State)
    return min(holdings, key=lambda h: (-order.index(h.state), h.since, h.handoff_id))


def _find_unheld(
    lead_id: str,
    holding: Holding,
    sellers: Collection[str],
    section: Returns,
    at: datetime,
) -> Orphan | None:
    """Find whether the lead's one handoff is in hands that work."""
    handoff_id = holding.handoff_id
    if STATES[holding.state].custody is Custody.SELLER and holding.seller not in sellers:
        anomaly = (
            OwnershipAnomaly.SELLER_GONE if holding.seller else OwnershipAnomaly.WITHOUT_SELLER
        )
        who = "Its seller works here no more" if holding.seller else "It has no seller"
        repair = (
            OwnershipRepair.REASSIGN if _can_requeue(holding.state) else OwnershipRepair.ESCALATE
        )
        if repair is OwnershipRepair.ESCALATE and _is_planned(holding, at):
            return None
        does = (
            "it goes back to the queue"
            if repair is OwnershipRepair.REASSIGN
            else "somebody must be named for the deal"
        )
        return Orphan(lead_id, anomaly, repair, f"{who}: {does}.", handoff_id)
    idle = at - holding.since
    if idle < timedelta(days=section.unattended_days) or _is_planned(holding, at):
        return None
    days = format_count(idle.days, "day", "days")
    return Orphan(
        lead_id,
        OwnershipAnomaly.UNATTENDED,
        OwnershipRepair.ESCALATE,
        f"Nothing has happened for {days} and nothing is planned: it is escalated.",
        handoff_id,
        again_days=section.unattended_days,
    )


def _can_requeue(state: State) -> bool:
    """Tell whether a handoff can go to another seller without losing what was reached."""
    return state not in {State.QUALIFIED, State.IN_DEAL}


def _is_planned(holding: Holding, at: datetime) -> bool:
    return holding.next_at is not None and holding.next_at > at


def repair(place: LeadOwnership, orphan: Orphan, at: datetime) -> LeadOwnership:
    """Give the lead's place after the repair; the caller does it, move by move.

    Raises
    ------
    ImpossibleMoveError
        If the handoff cannot make the move the repair asks for.
    """
    if orphan.repair is OwnershipRepair.NURTURE:
        return replace(place, track=orphan.track)
    holdings = tuple(
        repaired
        for holding in place.holdings
        if (repaired := _repair_holding(holding, orphan, at)) is not None
    )
    return replace(place, holdings=holdings)


def _repair_holding(holding: Holding, orphan: Orphan, at: datetime) -> Holding | None:
    if holding.handoff_id != orphan.handoff_id:
        return holding
    if orphan.repair is OwnershipRepair.ESCALATE:
        return replace(holding, next_at=at + timedelta(days=orphan.again_days))
    signal = Signal.WITHDRAW if orphan.repair is OwnershipRepair.WITHDRAW else Signal.REASSIGN
    move = move_from(holding.state, signal)
    if move.to not in OPEN:
        return None
    planned = at + timedelta(days=ESCALATED_DAYS) if Clock.ASSIGNMENT in move.starts else None
    return replace(holding, state=move.to, since=at, seller=None, next_at=planned)
