"""Handoffs and all that hangs on them; versions of the playbook that both sides sign."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "m0030"
down_revision = "m0020"
branch_labels = None
depends_on = None

TABLES = (
    "oversight_finding",
    "oversight_case",
    "nurture_track",
    "decision",
    "clock_deed",
    "assignment",
    "handoff_move",
    "handoff",
    "routing_credit",
    "absence",
    "seller",
    "playbook_signature",
)
"""In the order in which they can be dropped."""

FORBID = """
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'moves of a handoff are only ever added to';
END $$;
CREATE TRIGGER handoff_move_not_rewritten BEFORE UPDATE ON handoff_move
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
"""
AGREED = ("marketing_agreed_at", "marketing_agreed_by", "sales_agreed_at", "sales_agreed_by")


def _number_playbooks() -> None:
    """Give versions numbers: a text proposed again is another. No row was written yet."""
    op.drop_constraint("pk_playbook_version", "playbook_version", type_="primary")
    number = sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False)
    op.add_column("playbook_version", number)
    op.create_primary_key("pk_playbook_version", "playbook_version", ["number"])
    op.create_index("ix_playbook_version_version", "playbook_version", ["version"], unique=False)
    for column in AGREED:
        op.drop_column("playbook_version", column)


def _create_sellers() -> None:
    """Create who takes leads, and what they were given."""
    op.create_table(
        "seller",
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("named_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("left_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("given_day", sa.Date(), nullable=True),
        sa.Column("given", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_given_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("seller_id", name=op.f("pk_seller")),
        sa.UniqueConstraint("actor", name=op.f("uq_seller_actor")),
    )
    op.create_table(
        "absence",
        sa.Column("absence_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("noted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("noted_by", sa.Text(), nullable=False),
        sa.Column("removed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_absence_order")),
        sa.ForeignKeyConstraint(
            ["seller_id"],
            ["seller.seller_id"],
            name=op.f("fk_absence_seller_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("absence_id", name=op.f("pk_absence")),
    )
    op.create_index(op.f("ix_absence_seller_id"), "absence", ["seller_id"], unique=False)
    op.create_table(
        "routing_credit",
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("credit", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["seller_id"],
            ["seller.seller_id"],
            name=op.f("fk_routing_credit_seller_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("group_name", "seller_id", name=op.f("pk_routing_credit")),
    )


def _create_handoff() -> None:
    """Create handoffs."""
    op.create_table(
        "handoff",
        sa.Column("handoff_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("playbook_version", sa.Text(), nullable=False),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("handed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("packet", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("segments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("form", sa.Text(), nullable=True),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reason_text", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_handoff_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("handoff_id", name=op.f("pk_handoff")),
    )
    op.create_index("ix_handoff_closed_at", "handoff", ["closed_at"], unique=False)
    op.create_index("ix_handoff_decided_at", "handoff", ["decided_at"], unique=False)
    op.create_index("ix_handoff_lead_id", "handoff", ["lead_id"], unique=False)
    op.create_index(
        "ix_handoff_next_at",
        "handoff",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_handoff_queue",
        "handoff",
        ["state", "value", "handoff_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_handoff_seller_id",
        "handoff",
        ["seller_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "uq_handoff_open",
        "handoff",
        ["lead_id"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _create_moves() -> None:
    """Create what becomes of handoffs."""
    op.create_table(
        "handoff_move",
        sa.Column("move_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("handoff_id", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["handoff_id"],
            ["handoff.handoff_id"],
            name=op.f("fk_handoff_move_handoff_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("move_number", name=op.f("pk_handoff_move")),
    )
    op.create_index(
        "ix_handoff_move_handoff_id", "handoff_move", ["handoff_id", "move_number"], unique=False
    )
    op.create_table(
        "assignment",
        sa.Column("assignment_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("handoff_id", sa.BigInteger(), nullable=False),
        sa.Column("seller_id", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["handoff_id"],
            ["handoff.handoff_id"],
            name=op.f("fk_assignment_handoff_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("assignment_number", name=op.f("pk_assignment")),
    )
    op.create_index(
        "ix_assignment_handoff_id", "assignment", ["handoff_id", "assignment_number"], unique=False
    )
    op.create_index("ix_assignment_seller_id", "assignment", ["seller_id", "at"], unique=False)
    op.create_table(
        "clock_deed",
        sa.Column("handoff_id", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["handoff_id"],
            ["handoff.handoff_id"],
            name=op.f("fk_clock_deed_handoff_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "handoff_id", "clock", "started_at", "deed", name=op.f("pk_clock_deed")
        ),
    )


def _create_decisions() -> None:
    """Create why leads were handed over or kept, and where they lie then."""
    op.create_table(
        "decision",
        sa.Column("decision_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=True),
        sa.Column("triggers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("suppressions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("propensity", sa.Double(), nullable=True),
        sa.Column("playbook_version", sa.Text(), nullable=False),
        sa.Column("points", sa.Double(), nullable=True),
        sa.Column("band", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("handoff_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["handoff_id"],
            ["handoff.handoff_id"],
            name=op.f("fk_decision_handoff_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_decision_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("decision_number", name=op.f("pk_decision")),
    )
    op.create_index(
        "ix_decision_drawn",
        "decision",
        ["at"],
        unique=False,
        postgresql_where=sa.text("propensity IS NOT NULL"),
    )
    op.create_index(op.f("ix_decision_handoff_id"), "decision", ["handoff_id"], unique=False)
    op.create_index("ix_decision_lead_id_at", "decision", ["lead_id", "at"], unique=False)
    op.create_table(
        "nurture_track",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("track", sa.Text(), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("rests_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("handoff_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["handoff_id"],
            ["handoff.handoff_id"],
            name=op.f("fk_nurture_track_handoff_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["lead.lead_id"],
            name=op.f("fk_nurture_track_lead_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("pk_nurture_track")),
    )
    op.create_index(
        op.f("ix_nurture_track_rests_until"), "nurture_track", ["rests_until"], unique=False
    )
    op.create_index(op.f("ix_nurture_track_track"), "nurture_track", ["track"], unique=False)


def _create_oversight() -> None:
    """Create what the overseer looks at."""
    op.create_table(
        "oversight_case",
        sa.Column("case_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("handoff_id", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("ruling", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("stratum", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("drawn_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["handoff_id"],
            ["handoff.handoff_id"],
            name=op.f("fk_oversight_case_handoff_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_oversight_case")),
        sa.UniqueConstraint("handoff_id", name=op.f("uq_oversight_case_handoff_id")),
    )
    op.create_index("ix_oversight_case_month", "oversight_case", ["month"], unique=False)
    op.create_table(
        "oversight_finding",
        sa.Column("finding_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("case_id", sa.BigInteger(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["oversight_case.case_id"],
            name=op.f("fk_oversight_finding_case_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("finding_number", name=op.f("pk_oversight_finding")),
    )
    op.create_index(
        op.f("ix_oversight_finding_case_id"), "oversight_finding", ["case_id"], unique=False
    )


def _create_signatures() -> None:
    """Create who agreed to which playbook."""
    op.create_table(
        "playbook_signature",
        sa.Column("signature_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "side IN ('marketing', 'sales')", name=op.f("ck_playbook_signature_side")
        ),
        sa.CheckConstraint(
            "word IN ('agree', 'withdraw')", name=op.f("ck_playbook_signature_word")
        ),
        sa.ForeignKeyConstraint(
            ["number"],
            ["playbook_version.number"],
            name=op.f("fk_playbook_signature_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("signature_number", name=op.f("pk_playbook_signature")),
    )
    op.create_index(
        op.f("ix_playbook_signature_number"), "playbook_signature", ["number"], unique=False
    )


def upgrade() -> None:
    """Take the step."""
    _number_playbooks()
    _create_signatures()
    _create_sellers()
    _create_handoff()
    _create_moves()
    _create_decisions()
    _create_oversight()
    op.execute(FORBID)


def downgrade() -> None:
    """Take it back."""
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_rewriting()")
    op.drop_index("ix_playbook_version_version", table_name="playbook_version")
    op.drop_constraint("pk_playbook_version", "playbook_version", type_="primary")
    op.drop_column("playbook_version", "number")
    op.create_primary_key("pk_playbook_version", "playbook_version", ["version"])
    for column in AGREED:
        kind = postgresql.TIMESTAMP(timezone=True) if column.endswith("at") else sa.Text()
        op.add_column("playbook_version", sa.Column(column, kind, nullable=True))
