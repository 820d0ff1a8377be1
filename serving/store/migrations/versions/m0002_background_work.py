"""The tables of the background work, as procrastinate brings them."""

from alembic import op

revision = "m0002"
down_revision = "m0001"
branch_labels = None
depends_on = None

# Whatever of procrastinate's is there, by name: functions and types have no list of their own.
DROP = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relname LIKE 'procrastinate\\_%' AND c.relkind = 'r'
        AND c.relnamespace = current_schema()::regnamespace
    LOOP EXECUTE format('DROP TABLE %s CASCADE', found.name); END LOOP;
    FOR found IN SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.proname LIKE 'procrastinate\\_%'
        AND p.pronamespace = current_schema()::regnamespace
    LOOP EXECUTE format('DROP FUNCTION %s CASCADE', found.name); END LOOP;
    FOR found IN SELECT t.oid::regtype AS name FROM pg_type t
        WHERE t.typname LIKE 'procrastinate\\_%' AND t.typtype IN ('e', 'c')
        AND t.typnamespace = current_schema()::regnamespace
    LOOP EXECUTE format('DROP TYPE %s CASCADE', found.name); END LOOP;
END $$
"""


def upgrade() -> None:
    """Take the step: the schema of the procrastinate that is installed."""
    from procrastinate.schema import SchemaManager

    # By the driver itself: the script has several statements, and percent signs of its own.
    driver = op.get_bind().connection.driver_connection
    assert driver is not None  # noqa: S101 - a connection in use has one
    driver.execute(SchemaManager.get_schema())


def downgrade() -> None:
    """Take it back."""
    op.execute(DROP)
