"""Scores: every one that was given, those that are due, and the bundles that gave them."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base, Number


class Score(Base):
    """A score as it was given, with its reasons: the very bytes of the answer."""

    __tablename__ = "score"
    __table_args__ = (
        CheckConstraint("status IN ('scored', 'not_enough_known')", name="status"),
        Index("ix_score_lead_id_as_of", "lead_id", "as_of"),
        Index(
            "uq_score_latest",
            "lead_id",
            "contract",
            unique=True,
            postgresql_where=text("is_latest"),
        ),
        Index(
            "ix_score_ranking",
            "contract",
            text("points DESC NULLS LAST"),
            "lead_id",
            postgresql_where=text("is_latest"),
        ),
    )

    score_number: Mapped[Number]
    lead_id: Mapped[str] = mapped_column(ForeignKey("lead.lead_id", ondelete="CASCADE"))
    contract: Mapped[str]
    """What was promised, e.g. ``SQL within 30 days``: several may be served side by side."""
    as_of: Mapped[datetime]
    scored_at: Mapped[datetime]
    because: Mapped[str]
    """What made it due: event, attributes, time, model, asked ..."""
    model_version: Mapped[str]
    playbook_version: Mapped[str | None]
    status: Mapped[str]
    points: Mapped[float | None]
    probability: Mapped[float | None]
    band: Mapped[str | None]
    answer: Mapped[bytes]
    is_latest: Mapped[bool] = mapped_column(server_default=text("true"))


class ScoredRow(Base):
    """The row of features that a model scored: of a stored score, or of a request, then of nobody."""

    __tablename__ = "scored_row"
    __table_args__ = (Index("ix_scored_row_newest", "model_version", "is_scored", "scored_at"),)

    row_number: Mapped[Number]
    score_number: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("score.score_number", ondelete="CASCADE"), index=True
    )
    model_version: Mapped[str]
    scored_at: Mapped[datetime]
    is_scored: Mapped[bool]
    """Whether there was a score; otherwise not enough was known."""
    features: Mapped[bytes]
    """Cells in the order of the model's catalogue: 32-bit numbers, little-endian, zlib."""


class ShadowScore(Base):
    """What champion and challenger said of one lead, whose name is not kept."""

    __tablename__ = "shadow_score"

    shadow_number: Mapped[Number]
    champion: Mapped[str]
    """Version of the model."""
    challenger: Mapped[str]
    as_of: Mapped[datetime]
    scored_at: Mapped[datetime]
    champion_points: Mapped[float | None]
    """Uncut; null where not enough was known."""
    champion_probability: Mapped[float | None]
    champion_band: Mapped[str | None]
    challenger_points: Mapped[float | None]
    challenger_probability: Mapped[float | None]
    challenger_band: Mapped[str | None]


class ScoreDue(Base):
    """That a lead is to be scored, from a moment on.

    Only ever added to by those who change a lead; whoever scores takes rows away, many at a time
    (``FOR UPDATE SKIP LOCKED``). A lead may be listed more than once, so that nobody who lands an
    event waits for a score under way.
    """

    __tablename__ = "score_due"
    __table_args__ = (Index("ix_score_due_lane_due_at", "lane", "due_at"),)

    due_number: Mapped[Number]
    lead_id: Mapped[str] = mapped_column(
        ForeignKey("lead.lead_id", ondelete="CASCADE"), index=True
    )
    due_at: Mapped[datetime]
    because: Mapped[str]
    lane: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """0 for leads that changed; 1 for what only time or a new model asks for, which waits for them."""


class BundleVersion(Base):
    """A bundle that was in use, from when to when: a replay asks the model of then."""

    __tablename__ = "bundle_version"
    __table_args__ = (
        CheckConstraint("role IN ('champion', 'challenger')", name="role"),
        Index("ix_bundle_version_contract_taken_up_at", "contract", "taken_up_at"),
    )

    use_number: Mapped[Number]
    version: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    role: Mapped[str]
    contract: Mapped[str]
    """What it promised: of each contract one bundle is in use at a time."""
    folder: Mapped[str]
    catalog_fingerprint: Mapped[str]
    taken_up_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]
