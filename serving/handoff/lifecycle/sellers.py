"""Sellers as they work now: those of the playbook in effect, with the absences that were noted."""

from datetime import date, datetime

from sqlalchemy import select

from serving.auth.actors import is_actor
from serving.handoff.clocks.working_hours import WorkingHours
from serving.handoff.lifecycle.errors import (
    AbsenceNotFoundError,
    ActorNotFoundError,
    ActorTakenError,
    SellerNotFoundError,
)
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.repository import Agreed, name_sellers
from serving.handoff.playbook.sections.routing import AwayPeriod as Away
from serving.handoff.routing.rules import Ledger, Roster
from serving.store.session import UnitOfWork
from serving.store.tables import Absence, RoutingCredit, Seller

KEEP_CREDITS = """
INSERT INTO routing_credit (group_name, seller_id, credit)
SELECT * FROM unnest(%(groups)s::text[], %(sellers)s::text[], %(credits)s::float8[])
ON CONFLICT (group_name, seller_id) DO UPDATE SET credit = excluded.credit
"""
KEEP_GIVEN = """
UPDATE seller SET given_day = %(day)s, given = %(given)s, last_given_at = %(at)s
WHERE seller_id = %(seller)s
"""


def read_roster(work: UnitOfWork, agreed: Agreed) -> Roster:
    """Read who takes leads, and when: the playbook's sellers, less the absences noted since."""
    noted: dict[str, list[Away]] = {}
    for row in work.session.scalars(select(Absence).where(Absence.removed_at.is_(None))):
        away = Away(first=row.first_day, last=row.last_day)
        noted.setdefault(row.seller_id, []).append(away)
    return Roster(_with_absences(agreed.playbook, noted))


def _with_absences(playbook: Playbook, noted: dict[str, list[Away]]) -> Playbook:
    if not noted:
        return playbook
    sellers = tuple(
        seller.model_copy(update={"away": (*seller.away, *noted.get(seller.id, ()))})
        for seller in playbook.routing.sellers
    )
    routing = playbook.routing.model_copy(update={"sellers": sellers})
    return playbook.model_copy(update={"routing": routing})


def find_hours(roster: Roster, playbook: Playbook, seller_id: str | None) -> WorkingHours:
    """Find when somebody works; of nobody, or somebody who left, marketing's calendar counts."""
    if seller_id is not None and seller_id in roster.hours:
        return roster.hours[seller_id]
    return WorkingHours(playbook.sla.calendars[playbook.sla.marketing_calendar])


def ensure_sellers(work: UnitOfWork, agreed: Agreed, at: datetime) -> None:
    """Have the store know every seller of the playbook in effect, be it the one that is shipped."""
    named = {seller.id for seller in agreed.playbook.routing.sellers}
    known = set(work.session.scalars(select(Seller.seller_id).where(Seller.left_at.is_(None))))
    if named != known:
        name_sellers(work, agreed.playbook, at)


def read_ledger(work: UnitOfWork) -> Ledger:
    """Read what sellers were given so far; under the lock of routing."""
    behind: dict[str, dict[str, float]] = {}
    asked = select(RoutingCredit).execution_options(populate_existing=True)
    for row in work.session.scalars(asked):
        behind.setdefault(row.group_name, {})[row.seller_id] = row.credit
    given, last_at = {}, {}
    sellers = select(Seller).execution_options(populate_existing=True)
    for one in work.session.scalars(sellers):
        if one.given_day is not None:
            given[one.seller_id] = (one.given_day, one.given)
        if one.last_given_at is not None:
            last_at[one.seller_id] = one.last_given_at
    return Ledger(behind, given, last_at)


def keep_ledger(work: UnitOfWork, ledger: Ledger, group: str, seller_id: str) -> None:
    """Keep what an assignment changed in the ledger."""
    behind = ledger.credits[group]
    work.execute(
        KEEP_CREDITS,
        {
            "groups": [group] * len(behind),
            "sellers": list(behind),
            "credits": list(behind.values()),
        },
    )
    day, given = ledger.given[seller_id]
    kept = {"day": day, "given": given, "at": ledger.last_at[seller_id], "seller": seller_id}
    work.execute(KEEP_GIVEN, kept)


def get_seller(work: UnitOfWork, seller_id: str) -> Seller:
    """Find a seller.

    Raises
    ------
    SellerNotFoundError
        If the playbook in effect names none of this id.
    """
    row = work.session.get(Seller, seller_id)
    if row is None or row.left_at is not None:
        raise SellerNotFoundError(seller_id)
    return row


def find_seller_of(work: UnitOfWork, actor: str) -> Seller | None:
    """Find in whose name somebody asks; None if they are no seller."""
    asked = select(Seller).where(Seller.actor == actor, Seller.left_at.is_(None))
    return work.session.scalars(asked).first()


def name_actor(work: UnitOfWork, seller_id: str, actor: str | None) -> Seller:
    """Say who asks in a seller's name.

    Raises
    ------
    SellerNotFoundError
        If there is no such seller.
    ActorNotFoundError
        If there is no such person or key.
    ActorTakenError
        If they ask in another's name.
    """
    row = get_seller(work, seller_id)
    if actor is not None and not is_actor(work, actor):
        raise ActorNotFoundError(actor)
    other = None if actor is None else find_seller_of(work, actor)
    if other is not None and other.seller_id != seller_id:
        raise ActorTakenError(other.seller_id)
    row.actor = actor
    return row


def list_sellers(work: UnitOfWork) -> list[tuple[Seller, list[Absence]]]:
    """List the sellers of the playbook in effect, each with the absences noted."""
    absences: dict[str, list[Absence]] = {}
    asked = select(Absence).where(Absence.removed_at.is_(None)).order_by(Absence.first_day)
    for row in work.session.scalars(asked):
        absences.setdefault(row.seller_id, []).append(row)
    sellers = select(Seller).where(Seller.left_at.is_(None)).order_by(Seller.seller_id)
    return [(row, absences.get(row.seller_id, [])) for row in work.session.scalars(sellers)]


def add_absence(
    work: UnitOfWork, seller_id: str, first: date, last: date, *, by: str, at: datetime
) -> Absence:
    """Note that a seller takes nothing on some days, both of them counted.

    Raises
    ------
    SellerNotFoundError
        If there is no such seller.
    """
    get_seller(work, seller_id)
    row = Absence(seller_id=seller_id, first_day=first, last_day=last, noted_at=at, noted_by=by)
    work.session.add(row)
    work.session.flush()
    return row


def remove_absence(work: UnitOfWork, seller_id: str, absence_id: int, at: datetime) -> None:
    """Take an absence back.

    Raises
    ------
    AbsenceNotFoundError
        If there is none of this seller.
    """
    row = work.session.get(Absence, absence_id)
    if row is None or row.seller_id != seller_id or row.removed_at is not None:
        raise AbsenceNotFoundError(absence_id)
    row.removed_at = at
