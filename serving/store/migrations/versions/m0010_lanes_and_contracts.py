"""Lanes of what is due, the contract of each bundle in use, and why jobs failed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "m0010"
down_revision = "m0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column(
        "score_due",
        sa.Column("lane", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.drop_index("ix_score_due_due_at", table_name="score_due")
    op.create_index("ix_score_due_lane_due_at", "score_due", ["lane", "due_at"], unique=False)
    # Nobody has written to this table before this step.
    op.add_column("bundle_version", sa.Column("contract", sa.Text(), nullable=False))
    op.drop_index("ix_bundle_version_taken_up_at", table_name="bundle_version")
    op.create_index(
        "ix_bundle_version_contract_taken_up_at",
        "bundle_version",
        ["contract", "taken_up_at"],
        unique=False,
    )
    op.create_table(
        "job_problem",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_problem")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("job_problem")
    op.drop_index("ix_bundle_version_contract_taken_up_at", table_name="bundle_version")
    op.drop_column("bundle_version", "contract")
    op.create_index("ix_bundle_version_taken_up_at", "bundle_version", ["taken_up_at"])
    op.drop_index("ix_score_due_lane_due_at", table_name="score_due")
    op.drop_column("score_due", "lane")
    op.create_index("ix_score_due_due_at", "score_due", ["due_at"], unique=False)
