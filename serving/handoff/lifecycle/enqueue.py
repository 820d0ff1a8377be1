"""What leaves the house about a handoff: to the outbox, once each, with ids and no free text."""

from datetime import datetime
from typing import Any

from serving.store.session import UnitOfWork
from serving.store.tables import Handoff


def enqueue_event(
    work: UnitOfWork, row: Handoff, topic: str, what: str, at: datetime, **facts: Any
) -> bool:
    """Put an effect about a handoff in the outbox; tell whether it was new.

    Parameters
    ----------
    work
        The unit of work that decided it.
    row
        The handoff.
    topic
        Such as ``handoff.assigned``.
    what
        What makes the effect one of its handoff: ``assigned:17``.
    at
        When it was decided.
    facts
        What else a receiver needs; sentences are the rules' own.
    """
    work.session.flush()
    payload = {
        "handoff_id": row.handoff_id,
        "lead_id": row.lead_id,
        "cycle": row.cycle,
        "state": row.state,
        "trigger": row.trigger,
        "priority": row.priority,
        "seller": row.seller_id,
        "playbook_version": row.playbook_version,
        "at": at.isoformat(),
        **facts,
    }
    return work.enqueue_effect(f"handoff:{row.handoff_id}:{what}", topic, payload, at, row.lead_id)
