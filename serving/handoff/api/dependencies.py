"""What the routes of handoffs ask for: the occasion of a deed, and that sellers act on their own."""

from typing import Annotated, Any

from fastapi import Depends

from serving.auth.guard import Caller
from serving.auth.roles import Role
from serving.handoff.api.schemas import HandoffId
from serving.handoff.lifecycle.context import Occasion
from serving.handoff.lifecycle.errors import NotYourHandoffError
from serving.handoff.lifecycle.record import get_handoff
from serving.handoff.lifecycle.sellers import find_seller_of
from serving.http.dependencies import Desk, Now
from serving.store.audit_log import note
from serving.store.dependencies import Work
from serving.store.session import UnitOfWork


async def get_occasion(now: Now, caller: Caller, desk: Desk) -> Occasion:
    """Give when, by whom, and in whose codes histories are packed."""
    champion = desk.find_champion()
    catalog = None if champion is None else champion.bundle.catalog
    return Occasion(now, caller.actor, catalog)


InOccasion = Annotated[Occasion, Depends(get_occasion)]


def get_own(work: Work, caller: Caller, handoff_id: HandoffId) -> int:
    """Give a handoff's number once it is clear that its seller asks; other roles act for all.

    Raises
    ------
    NotYourHandoffError
        If it lies in other hands.
    """
    if caller.role is Role.SALES:
        seller = find_seller_of(work, caller.actor)
        row = get_handoff(work, handoff_id)
        if seller is None or row.seller_id != seller.seller_id:
            raise NotYourHandoffError(handoff_id)
    return handoff_id


OwnHandoff = Annotated[int, Depends(get_own)]


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
