"""Handoffs written straight into the store, as the service leaves them."""

from datetime import datetime
from typing import Any

from serving.handoff.machine.transitions import STATES, Custody, Signal, State, move_from
from serving.store.session import Store
from serving.store.tables import Handoff, HandoffMove, Lead, Seller

RecordedMove = tuple[datetime, Signal, str | None]


def write_sellers(store: Store, at: datetime, **teams: str) -> None:
    with store.work() as work:
        for seller, team in teams.items():
            work.session.add(Seller(seller_id=seller, team=team, named_at=at))


def write_handoff(store: Store, lead_id: str, *moves: RecordedMove, **changes: Any) -> int:
    """Write a handoff of a new lead, and the moves that are told of it; give its number."""
    at = moves[0][0]
    with store.work() as work:
        work.session.add(Lead(lead_id=lead_id, created_at=at, first_known_at=at))
        work.session.flush()
        valid: dict[str, Any] = {
            "lead_id": lead_id,
            "cycle": 1,
            "state": "decided",
            "since": at,
            "trigger": "score",
            "because": "The score is high enough.",
            "playbook_version": "shipped-x",
            "decided_at": at,
            "packet": {"missing": []},
            "definition": {"mql": "met", "met": [], "failing": [], "unknown": []},
            "segments": [],
            "source": "fair",
            "priority": "standard",
        }
        row = Handoff(**{**valid, **changes})
        work.session.add(row)
        work.session.flush()
        state = State.DECIDED
        for moment, signal, seller in moves:
            move = move_from(state, signal)
            row.seller_id = seller or (row.seller_id if STATES[move.to].closed else None)
            work.session.add(
                HandoffMove(
                    handoff_id=row.handoff_id,
                    at=moment,
                    origin=move.origin.value,
                    state=move.to.value,
                    signal=signal.value,
                    by="rule",
                    seller_id=row.seller_id,
                    facts={},
                )
            )
            work.session.flush()
            state = move.to
            row.state, row.since = state.value, moment
            if state is State.QUEUED and row.handed_at is None:
                row.handed_at = moment
            if STATES[state].closed:
                row.closed_at = moment
        assert STATES[state].custody is not Custody.SELLER or row.seller_id
        return row.handoff_id
