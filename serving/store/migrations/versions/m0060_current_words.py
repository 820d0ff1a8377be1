"""Current words: ``looked_at`` becomes ``last_scored_as_of``, ``clock_deed`` becomes ``clock_action``."""

from alembic import op

revision = "m0060"
down_revision = "m0050"
branch_labels = None
depends_on = None

OLD_TO_NEW = (
    ("fk_clock_deed_handoff_id", "fk_clock_action_handoff_id"),
    ("pk_clock_deed", "pk_clock_action"),
)


def upgrade() -> None:
    """Take the step."""
    op.alter_column("lead", "looked_at", new_column_name="last_scored_as_of")
    op.alter_column("clock_deed", "deed", new_column_name="action")
    op.rename_table("clock_deed", "clock_action")
    for old, new in OLD_TO_NEW:
        op.execute(f"ALTER TABLE clock_action RENAME CONSTRAINT {old} TO {new}")


def downgrade() -> None:
    """Take it back."""
    for old, new in OLD_TO_NEW:
        op.execute(f"ALTER TABLE clock_action RENAME CONSTRAINT {new} TO {old}")
    op.rename_table("clock_action", "clock_deed")
    op.alter_column("clock_deed", "action", new_column_name="deed")
    op.alter_column("lead", "last_scored_as_of", new_column_name="looked_at")
