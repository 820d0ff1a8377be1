"""Who stated each fact, and which identity keys are more than claims; a list of merges nobody reads goes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "m0100"
down_revision = "m0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column(
        "lead_version",
        sa.Column("origins", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("lead_version", sa.Column("account_source", sa.Text(), nullable=True))
    op.add_column(
        "identity",
        sa.Column("is_confirmed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.drop_column("merge", "moved")


def downgrade() -> None:
    """Take it back."""
    op.add_column(
        "merge",
        sa.Column("moved", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    )
    op.drop_column("identity", "is_confirmed")
    op.drop_column("lead_version", "account_source")
    op.drop_column("lead_version", "origins")
