"""The outbox: what is to leave the house, written in the transaction that decided it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base, Number


class OutboxEffect(Base):
    """Something to send, once: a webhook, a mail, a write to a CRM.

    The key is kept for good, so that the same effect is never decided twice. Whoever sends holds a
    lease, and marks the effect done only while the lease is still theirs.
    """

    __tablename__ = "outbox_effect"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'done', 'given_up')", name="state"),
        Index(
            "ix_outbox_effect_waiting",
            "next_at",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_outbox_effect_lead_id", "lead_id"),
    )

    effect_number: Mapped[Number]
    effect_key: Mapped[str] = mapped_column(unique=True)
    topic: Mapped[str]
    lead_id: Mapped[str | None]
    """Whom it is about; not a foreign key, as an effect outlives its lead (emptied by erasure)."""
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime]
    next_at: Mapped[datetime]
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    last_problem: Mapped[str | None]
    settled_at: Mapped[datetime | None]


class ClosedEndpoint(Base):
    """A webhook's endpoint that answered 410: nothing is sent there until it is opened again.

    Another address under the same name is another endpoint, so only a hash of the address is kept.
    """

    __tablename__ = "closed_endpoint"

    name: Mapped[str] = mapped_column(primary_key=True)
    url_hash: Mapped[bytes]
    closed_at: Mapped[datetime]
