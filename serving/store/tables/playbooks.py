"""Versions of the playbook, and who agreed to them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base, Number


class PlaybookVersion(Base):
    """One text of the playbook; in effect once both sides agreed, until the next one is.

    An earlier text that is proposed again is another version: it is agreed to anew.
    """

    __tablename__ = "playbook_version"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'in_effect', 'retired')", name="state"),
        Index(
            "uq_playbook_version_in_effect",
            "state",
            unique=True,
            postgresql_where=text("state = 'in_effect'"),
        ),
    )

    number: Mapped[Number]
    version: Mapped[str] = mapped_column(index=True)
    """Fingerprint of what the text says."""
    body: Mapped[str]
    note: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default=text("'draft'"))
    """As the signatures make it, by ``serving.handoff.playbook.agreement``."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    in_effect_from: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]


class PlaybookSignature(Base):
    """What somebody said of a version for one side; only what counted is kept, none is changed."""

    __tablename__ = "playbook_signature"
    __table_args__ = (
        CheckConstraint("side IN ('marketing', 'sales')", name="side"),
        CheckConstraint("word IN ('agree', 'withdraw')", name="word"),
    )

    signature_number: Mapped[Number]
    number: Mapped[int] = mapped_column(
        ForeignKey("playbook_version.number", ondelete="CASCADE"), index=True
    )
    side: Mapped[str]
    word: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime]
