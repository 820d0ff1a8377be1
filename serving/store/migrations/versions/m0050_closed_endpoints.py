"""Endpoints of webhooks that said they are gone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "m0050"
down_revision = "m0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "closed_endpoint",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url_hash", sa.LargeBinary(), nullable=False),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_closed_endpoint")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("closed_endpoint")
