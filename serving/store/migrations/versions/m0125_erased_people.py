"""Which hashes of those who were erased are of one person, so that they are let in again together."""

import sqlalchemy as sa
from alembic import op

revision = "m0125"
down_revision = "m0120"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.add_column("tombstone", sa.Column("person", sa.Uuid(), nullable=True))
    op.create_index("ix_tombstone_person", "tombstone", ["person"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_tombstone_person", "tombstone")
    op.drop_column("tombstone", "person")
