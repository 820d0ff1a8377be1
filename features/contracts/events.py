"""Events: what the lead does or receives."""

import pyarrow as pa

from features.contracts.columns import TIME, check_columns

EVENT_SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string()),
        pa.field("lead_id", pa.string()),
        pa.field("occurred_at", TIME),  # it happened
        pa.field("known_at", TIME),  # we could know
        pa.field("kind", pa.string()),  # by the taxonomy
        pa.field("name", pa.string()),  # as the source called it
        pa.field("channel", pa.string()),
        pa.field("value", pa.float64()),  # in the unit the source uses; null where it has none
        pa.field("properties", pa.string()),  # JSON
    ]
)
REQUIRED = frozenset({"event_id", "lead_id", "occurred_at", "known_at", "kind"})


def check_events(table: pa.Table) -> None:
    """Check an event table: columns, types, required values."""
    check_columns("event", table, EVENT_SCHEMA, required=REQUIRED)
