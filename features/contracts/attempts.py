"""Attempts: what sales does to reach the lead. Never an engagement feature."""

import pyarrow as pa

from features.contracts.columns import TIME, check_columns

ATTEMPT_SCHEMA = pa.schema(
    [
        pa.field("lead_id", pa.string()),
        pa.field("handoff_id", pa.string()),
        pa.field("at", TIME),
        pa.field("known_at", TIME),
        pa.field("channel", pa.string()),  # call, email, social, meeting
        pa.field("result", pa.string()),
        pa.field("actor", pa.string()),
    ]
)
REQUIRED = frozenset({"lead_id", "at", "known_at", "channel"})


def check_attempts(table: pa.Table) -> None:
    """Check an attempt table: columns, types, required values."""
    check_columns("attempt", table, ATTEMPT_SCHEMA, required=REQUIRED)
