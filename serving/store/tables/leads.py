"""Leads: who they are, under which names they are known, which of them are one."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base, Number


class Lead(Base):
    """A lead, by the id its source gave it.

    Whoever writes what belongs to a lead's history locks this row first (``FOR NO KEY UPDATE``,
    several leads in the order of their ids): so there is one order of writing per lead.
    """

    __tablename__ = "lead"

    lead_id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    """When the lead came to be: as its source says, or else when it was first seen."""
    created_known_at: Mapped[datetime | None]
    """Since when that is known, where another moment was taken for it before."""
    taken_as_created_at: Mapped[datetime | None]
    """That other moment: as of earlier looks, the lead came to be then."""
    first_known_at: Mapped[datetime]
    """When we first heard of it."""
    is_bare: Mapped[bool] = mapped_column(server_default=text("false"))
    """Nobody sent the lead itself yet: it is known by its events alone."""
    account_id: Mapped[str | None] = mapped_column(index=True)
    """The account of the newest version."""
    merged_into: Mapped[str | None] = mapped_column(
        ForeignKey("lead.lead_id", ondelete="SET NULL"), index=True
    )
    """The lead this one is, since they were merged; never a lead that is itself merged."""
    last_scored_as_of: Mapped[datetime | None]
    """The latest ``as_of`` of a score that was given. What arrives later gets a ``known_at`` that
    is not before it, so that a replay as of that moment sees what was seen then."""


class LeadVersion(Base):
    """A lead's attributes as known from one moment on: the whole of them, as they were sent."""

    __tablename__ = "lead_version"
    __table_args__ = (
        Index("ix_lead_version_lead_id_known_at", "lead_id", "known_at"),
        Index("ix_lead_version_account_id", "account_id"),
    )

    version_id: Mapped[Number]
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.lead_id", ondelete="CASCADE"))
    known_at: Mapped[datetime]
    changed_at: Mapped[datetime | None]
    """When it changed at the source, if that was said: an older change does not undo a newer one."""
    source: Mapped[str]
    """Who said so: all of it, but for what the next two name."""
    account_id: Mapped[str | None]
    attributes: Mapped[dict[str, Any]]
    origins: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """By attribute, who stated it, where that is another source (``features.contracts.provenance``)."""
    account_source: Mapped[str | None]
    """Who named the account, where that is another source."""


class Identity(Base):
    """A name under which a source knows a lead: an anonymous id, a user id, an e-mail address."""

    __tablename__ = "identity"

    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    lead_id: Mapped[str] = mapped_column(
        ForeignKey("lead.lead_id", ondelete="CASCADE"), index=True
    )
    known_at: Mapped[datetime]
    is_confirmed: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether a trusted source stated it. Until then it is a tracker's claim, which gives way."""


class Merge(Base):
    """Two leads that turned out to be one; may be undone, since no record changes its lead."""

    __tablename__ = "merge"
    __table_args__ = (
        # A lead is part of at most one other.
        Index(
            "uq_merge_holds",
            "merged_lead_id",
            unique=True,
            postgresql_where=text("undone_at IS NULL"),
        ),
    )

    merge_id: Mapped[Number]
    kept_lead_id: Mapped[str] = mapped_column(
        ForeignKey("lead.lead_id", ondelete="CASCADE"), index=True
    )
    merged_lead_id: Mapped[str] = mapped_column(
        ForeignKey("lead.lead_id", ondelete="CASCADE"), index=True
    )
    because: Mapped[str]
    merged_at: Mapped[datetime]
    merged_by: Mapped[str]
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]


class Tombstone(Base):
    """That somebody was erased: a hash of an id, so that late records do not revive them."""

    __tablename__ = "tombstone"

    id_hash: Mapped[bytes] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]
    person: Mapped[UUID | None] = mapped_column(index=True)
    """A random number that all hashes of one person share, so that they are let in again together."""
