"""What came in and was not, or need not be, taken twice: quarantine and idempotency keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base, Number


class QuarantinedItem(Base):
    """An item that could not be read: kept as it came, to be mended and sent through again."""

    __tablename__ = "quarantined_item"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'landed', 'dropped')", name="state"),
        Index(
            "ix_quarantined_item_waiting",
            "item_number",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_quarantined_item_lead_id", "lead_id"),
        # The same bad item sent again and again is kept once.
        Index(
            "uq_quarantined_item_waiting",
            "source",
            "record",
            "body_hash",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    item_number: Mapped[Number]
    source: Mapped[str]
    record: Mapped[str]
    """What it was meant to be: lead, event, stage, attempt."""
    lead_id: Mapped[str | None]
    """The lead it names, if that could be read: whoever is erased is erased here too."""
    body: Mapped[bytes]
    """The item as it came. Bytes, since it may not even be text."""
    body_hash: Mapped[bytes]
    problem: Mapped[dict[str, Any]]
    """A problem (RFC 9457) that repeats no value."""
    received_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    settled_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default=text("1"))


class IdempotencyKey(Base):
    """A key a caller sent with a request, and the answer it got: the same key gets it again."""

    __tablename__ = "idempotency_key"

    scope: Mapped[str] = mapped_column(primary_key=True)
    """Caller, method and path: keys of others do not meet."""
    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes]
    status: Mapped[int]
    media_type: Mapped[str]
    answer: Mapped[bytes]
    answered_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
