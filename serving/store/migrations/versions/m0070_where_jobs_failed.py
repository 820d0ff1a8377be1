"""Where jobs failed, beside why."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "m0070"
down_revision = "m0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column(
        "job_problem",
        sa.Column(
            "where", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_column("job_problem", "where")
