"""Leads, their history and scores, and who may ask."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "m0001"
down_revision = None
branch_labels = None
depends_on = None


TABLES = (
    "outbox_effect",
    "bundle_version",
    "score_due",
    "score",
    "idempotency_key",
    "quarantined_item",
    "packed_history",
    "attempt",
    "stage_change",
    "event",
    "tombstone",
    "merge",
    "identity",
    "lead_version",
    "lead",
    "playbook_version",
    "sign_in",
    "person",
    "audit_entry",
    "api_key",
)

FORBID = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to';
END $$;
CREATE TRIGGER audit_entry_only_added_to BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entry_not_emptied BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# Packed bytes hardly compress, and are appended to all the time: stored plainly, out of line.
PLAIN = "ALTER TABLE packed_history ALTER COLUMN records SET STORAGE EXTERNAL"


def _create_people() -> None:
    """Create who may ask, who did what, and what both sides agreed to."""
    op.create_table(
        "api_key",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_key")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("entry_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("entry_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entry_number", name=op.f("pk_audit_entry")),
        sa.UniqueConstraint("entry_hash", name=op.f("uq_audit_entry_entry_hash")),
    )
    op.create_table(
        "person",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("disabled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_person")),
        sa.UniqueConstraint("email", name=op.f("uq_person_email")),
    )
    op.create_table(
        "playbook_version",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("marketing_agreed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("marketing_agreed_by", sa.Text(), nullable=True),
        sa.Column("sales_agreed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("sales_agreed_by", sa.Text(), nullable=True),
        sa.Column("in_effect_from", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("retired_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'in_effect', 'retired')", name=op.f("ck_playbook_version_state")
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_playbook_version")),
    )
    op.create_index(
        "uq_playbook_version_in_effect",
        "playbook_version",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'in_effect'"),
    )
    op.create_table(
        "sign_in",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.person_id"],
            name=op.f("fk_sign_in_person_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sign_in")),
    )
    op.create_index(op.f("ix_sign_in_expires_at"), "sign_in", ["expires_at"], unique=False)
    op.create_index(op.f("ix_sign_in_person_id"), "sign_in", ["person_id"], unique=False)


def _create_leads() -> None:
    """Create who the leads are."""
    op.create_table(
        "lead",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("first_known_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("is_bare", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("looked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["merged_into"],
            ["lead.lead_id"],
            name=op.f("fk_lead_merged_into"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("pk_lead")),
    )
    op.create_index(op.f("ix_lead_account_id"), "lead", ["account_id"], unique=False)
    op.create_index(op.f("ix_lead_merged_into"), "lead", ["merged_into"], unique=False)
    op.create_table(
        "tombstone",
        sa.Column("id_hash", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name=op.f("pk_tombstone")),
    )
    op.create_table(
        "identity",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("known_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_identity_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_identity")),
    )
    op.create_index(op.f("ix_identity_lead_id"), "identity", ["lead_id"], unique=False)
    op.create_table(
        "lead_version",
        sa.Column("version_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("known_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_lead_version_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_lead_version")),
    )
    op.create_index("ix_lead_version_account_id", "lead_version", ["account_id"], unique=False)
    op.create_index(
        "ix_lead_version_lead_id_known_at", "lead_version", ["lead_id", "known_at"], unique=False
    )
    op.create_table(
        "merge",
        sa.Column("merge_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kept_lead_id", sa.Text(), nullable=False),
        sa.Column("merged_lead_id", sa.Text(), nullable=False),
        sa.Column(
            "moved",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("merged_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("merged_by", sa.Text(), nullable=False),
        sa.Column("undone_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["kept_lead_id"],
            ["lead.lead_id"],
            name=op.f("fk_merge_kept_lead_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["merged_lead_id"],
            ["lead.lead_id"],
            name=op.f("fk_merge_merged_lead_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("merge_id", name=op.f("pk_merge")),
    )
    op.create_index(op.f("ix_merge_kept_lead_id"), "merge", ["kept_lead_id"], unique=False)
    op.create_index(op.f("ix_merge_merged_lead_id"), "merge", ["merged_lead_id"], unique=False)


def _create_history() -> None:
    """Create what happened to them."""
    op.create_table(
        "attempt",
        sa.Column("attempt_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("handoff_id", sa.Text(), nullable=True),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("known_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_attempt_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("attempt_number", name=op.f("pk_attempt")),
        sa.UniqueConstraint("source", "attempt_id", name=op.f("uq_attempt_source_attempt_id")),
    )
    op.create_index(op.f("ix_attempt_handoff_id"), "attempt", ["handoff_id"], unique=False)
    op.create_index("ix_attempt_lead_id_at", "attempt", ["lead_id", "at"], unique=False)
    op.create_table(
        "event",
        sa.Column("event_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("occurred_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("known_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sent_kind", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("properties", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_event_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_number", name=op.f("pk_event")),
        sa.UniqueConstraint("source", "event_id", name=op.f("uq_event_source_event_id")),
    )
    op.create_index(
        "ix_event_lead_id_occurred_at", "event", ["lead_id", "occurred_at"], unique=False
    )
    op.create_table(
        "packed_history",
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("known_until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("records", postgresql.BYTEA(), nullable=False),
        sa.Column("version_moments", postgresql.BYTEA(), nullable=False),
        sa.Column("version_cells", postgresql.BYTEA(), nullable=False),
        sa.Column(
            "account_ids",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["lead.lead_id"],
            name=op.f("fk_packed_history_lead_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("lead_id", name=op.f("pk_packed_history")),
    )
    op.create_table(
        "stage_change",
        sa.Column("change_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("known_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("amount", sa.Double(), nullable=True),
        sa.Column("propensity", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_stage_change_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("change_number", name=op.f("pk_stage_change")),
        sa.UniqueConstraint("source", "change_id", name=op.f("uq_stage_change_source_change_id")),
    )
    op.create_index("ix_stage_change_lead_id_at", "stage_change", ["lead_id", "at"], unique=False)


def _create_requests() -> None:
    """Create what came in and was not, or need not be, taken twice."""
    op.create_table(
        "idempotency_key",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_index(
        op.f("ix_idempotency_key_expires_at"), "idempotency_key", ["expires_at"], unique=False
    )
    op.create_table(
        "quarantined_item",
        sa.Column("item_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("problem", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("settled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'landed', 'dropped')", name=op.f("ck_quarantined_item_state")
        ),
        sa.PrimaryKeyConstraint("item_number", name=op.f("pk_quarantined_item")),
    )
    op.create_index("ix_quarantined_item_lead_id", "quarantined_item", ["lead_id"], unique=False)
    op.create_index(
        "ix_quarantined_item_waiting",
        "quarantined_item",
        ["item_number"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "uq_quarantined_item_waiting",
        "quarantined_item",
        ["source", "record", "body_hash"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )


def _create_scores() -> None:
    """Create what was said of them, and what left the house."""
    op.create_table(
        "bundle_version",
        sa.Column("use_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("catalog_fingerprint", sa.Text(), nullable=False),
        sa.Column("taken_up_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("retired_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('champion', 'challenger')", name=op.f("ck_bundle_version_role")
        ),
        sa.PrimaryKeyConstraint("use_number", name=op.f("pk_bundle_version")),
    )
    op.create_index(
        "ix_bundle_version_taken_up_at", "bundle_version", ["taken_up_at"], unique=False
    )
    op.create_index(op.f("ix_bundle_version_version"), "bundle_version", ["version"], unique=False)
    op.create_table(
        "outbox_effect",
        sa.Column("effect_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("effect_key", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=True),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("leased_by", sa.Text(), nullable=True),
        sa.Column("leased_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_problem", sa.Text(), nullable=True),
        sa.Column("settled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'done', 'given_up')", name=op.f("ck_outbox_effect_state")
        ),
        sa.PrimaryKeyConstraint("effect_number", name=op.f("pk_outbox_effect")),
        sa.UniqueConstraint("effect_key", name=op.f("uq_outbox_effect_effect_key")),
    )
    op.create_index("ix_outbox_effect_lead_id", "outbox_effect", ["lead_id"], unique=False)
    op.create_index(
        "ix_outbox_effect_waiting",
        "outbox_effect",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "score",
        sa.Column("score_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("as_of", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("scored_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("playbook_version", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("points", sa.Double(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("band", sa.Text(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("is_latest", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint(
            "status IN ('scored', 'not_enough_known')", name=op.f("ck_score_status")
        ),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_score_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("score_number", name=op.f("pk_score")),
    )
    op.create_index("ix_score_lead_id_as_of", "score", ["lead_id", "as_of"], unique=False)
    op.create_index(
        "ix_score_ranking",
        "score",
        ["contract", sa.literal_column("points DESC NULLS LAST"), "lead_id"],
        unique=False,
        postgresql_where=sa.text("is_latest"),
    )
    op.create_index(
        "uq_score_latest",
        "score",
        ["lead_id", "contract"],
        unique=True,
        postgresql_where=sa.text("is_latest"),
    )
    op.create_table(
        "score_due",
        sa.Column("due_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lead_id"], ["lead.lead_id"], name=op.f("fk_score_due_lead_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("due_number", name=op.f("pk_score_due")),
    )
    op.create_index("ix_score_due_due_at", "score_due", ["due_at"], unique=False)
    op.create_index(op.f("ix_score_due_lead_id"), "score_due", ["lead_id"], unique=False)


def upgrade() -> None:
    """Take the step."""
    _create_people()
    _create_leads()
    _create_history()
    _create_requests()
    _create_scores()
    op.execute(FORBID)
    op.execute(PLAIN)


def downgrade() -> None:
    """Take it back."""
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")
