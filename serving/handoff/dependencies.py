"""What the routes of handoffs ask for: the occasion of a deed, and that sellers act on their own."""

from typing import Annotated, Any

from fastapi import Depends

from serving.auth.guard import Caller
from serving.auth.principals import Principal
from serving.auth.roles import Role
from serving.handoff.errors import NotYourHandoffError
from serving.handoff.occasion import Occasion
from serving.handoff.record import get_handoff
from serving.handoff.sellers import find_seller_of
from serving.http.dependencies import Desk, Now
from serving.store.audit_log import note
from serving.store.session import UnitOfWork


async def get_occasion(now: Now, caller: Caller, desk: Desk) -> Occasion:
    """Give when, by whom, and in whose codes histories are packed."""
    champion = desk.find_champion()
    catalog = None if champion is None else champion.bundle.catalog
    return Occasion(now, caller.actor, catalog)


InOccasion = Annotated[Occasion, Depends(get_occasion)]


def check_own(work: UnitOfWork, handoff_id: int, caller: Principal) -> None:
    """Check that a seller acts on a handoff of their own; other roles act for all.

    Raises
    ------
    NotYourHandoffError
        If it lies in other hands.
    """
    if caller.role is not Role.SALES:
        return
    seller = find_seller_of(work, caller.actor)
    row = get_handoff(work, handoff_id)
    if seller is None or row.seller_id != seller.seller_id:
        raise NotYourHandoffError(handoff_id)


def note_deed(
    work: UnitOfWork, action: str, handoff_id: int, occasion: Occasion, **facts: Any
) -> None:
    """Write a person's deed into the audit log, with references only."""
    note(
        work,
        by=occasion.by,
        action=action,
        subject_kind="handoff",
        subject_id=str(handoff_id),
        at=occasion.at,
        facts=facts,
    )
