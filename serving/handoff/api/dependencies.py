"""What the routes of handoffs ask for: the context of an action, and that sellers act on their own."""

from typing import Annotated, Any

from fastapi import Depends

from serving.auth.guard import Caller
from serving.auth.roles import Role
from serving.handoff.api.schemas import HandoffId
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.errors import NotYourHandoffError
from serving.handoff.lifecycle.record import get_handoff
from serving.handoff.lifecycle.sellers import find_seller_of
from serving.store.audit_log import note
from serving.store.dependencies import Work
from serving.store.session import UnitOfWork
from serving.web_api.dependencies import ChampionHolder, Now


async def get_action_context(now: Now, caller: Caller, holder: ChampionHolder) -> ActionContext:
    """Give when, by whom, and in whose codes histories are packed."""
    champion = holder.find_champion()
    catalog = None if champion is None else champion.bundle.catalog
    return ActionContext(now, caller.actor, catalog)


InActionContext = Annotated[ActionContext, Depends(get_action_context)]


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


def note_action(
    work: UnitOfWork, action: str, handoff_id: int, context: ActionContext, **facts: Any
) -> None:
    """Write a person's action into the audit log, with references only."""
    note(
        work,
        by=context.by,
        action=action,
        subject_kind="handoff",
        subject_id=str(handoff_id),
        at=context.at,
        facts=facts,
    )
