"""Rows that were scored, and what a challenger said beside the champion: until now files beside the store."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "m0110"
down_revision = "m0100"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "scored_row",
        sa.Column("row_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("score_number", sa.BigInteger(), nullable=True),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("scored_at", MOMENT, nullable=False),
        sa.Column("is_scored", sa.Boolean(), nullable=False),
        sa.Column("features", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["score_number"],
            ["score.score_number"],
            name=op.f("fk_scored_row_score_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("row_number", name=op.f("pk_scored_row")),
    )
    op.create_index(op.f("ix_scored_row_score_number"), "scored_row", ["score_number"])
    op.create_index(
        "ix_scored_row_newest", "scored_row", ["model_version", "is_scored", "scored_at"]
    )
    op.create_table(
        "shadow_score",
        sa.Column("shadow_number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("champion", sa.Text(), nullable=False),
        sa.Column("challenger", sa.Text(), nullable=False),
        sa.Column("as_of", MOMENT, nullable=False),
        sa.Column("scored_at", MOMENT, nullable=False),
        *(
            sa.Column(f"{whose}_{what}", kind, nullable=True)
            for whose in ("champion", "challenger")
            for what, kind in (
                ("points", sa.Float()),
                ("probability", sa.Float()),
                ("band", sa.Text()),
            )
        ),
        sa.PrimaryKeyConstraint("shadow_number", name=op.f("pk_shadow_score")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("shadow_score")
    op.drop_table("scored_row")
