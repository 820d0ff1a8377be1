"""Since when it is known when a lead came to be, and what was taken for it before."""

import sqlalchemy as sa
from alembic import op

revision = "m0120"
down_revision = "m0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    for name in ("created_known_at", "taken_as_created_at"):
        op.add_column("lead", sa.Column(name, sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Take it back."""
    for name in ("taken_as_created_at", "created_known_at"):
        op.drop_column("lead", name)
