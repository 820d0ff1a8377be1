"""A lead is part of at most one other: the database holds us to it."""

import sqlalchemy as sa
from alembic import op

revision = "m0040"
down_revision = "m0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_index(
        "uq_merge_holds",
        "merge",
        ["merged_lead_id"],
        unique=True,
        postgresql_where=sa.text("undone_at IS NULL"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_index("uq_merge_holds", table_name="merge")
