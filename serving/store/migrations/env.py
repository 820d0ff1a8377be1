"""What alembic runs: our tables, on the connection it is handed."""

from typing import Any

from alembic import context

from serving.store.tables import Base

FOREIGN = "procrastinate_"
"""Tables of the background work belong to procrastinate, whose schema is a step of its own."""


def _is_ours(element: Any, name: str | None, kind: str, *_: Any) -> bool:
    if kind == "table":
        return not (name or "").startswith(FOREIGN)
    table = getattr(element, "table", None)
    return table is None or not str(table.name).startswith(FOREIGN)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_object=_is_ours,
    compare_server_default=False,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
