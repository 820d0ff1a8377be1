"""Versions of the playbook, and who agreed to them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base


class PlaybookVersion(Base):
    """One text of the playbook; in effect once both sides agreed, until the next one is."""

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

    version: Mapped[str] = mapped_column(primary_key=True)
    """Fingerprint of the text."""
    body: Mapped[str]
    note: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default=text("'draft'"))
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    marketing_agreed_at: Mapped[datetime | None]
    marketing_agreed_by: Mapped[str | None]
    sales_agreed_at: Mapped[datetime | None]
    sales_agreed_by: Mapped[str | None]
    in_effect_from: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
