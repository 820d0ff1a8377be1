"""Stage changes: where a lead stands between marketing and sales, and when that was known."""

import pyarrow as pa

from features.contracts.columns import TIME, check_columns

STAGE_SCHEMA = pa.schema(
    [
        pa.field("lead_id", pa.string()),
        pa.field("at", TIME),
        pa.field("known_at", TIME),
        pa.field("stage", pa.string()),  # a value of features.lifecycle.stages.Stage
        pa.field("signal", pa.string()),  # what made it move, as the source says
        pa.field("reason", pa.string()),
        pa.field("actor", pa.string()),
        pa.field("amount", pa.float64()),
        pa.field("propensity", pa.float64()),  # of a handoff drawn at random: its chance, logged
    ]
)
REQUIRED = frozenset({"lead_id", "at", "known_at", "stage"})


def check_stages(table: pa.Table) -> None:
    """Check a stage table: columns, types, required values."""
    check_columns("stage change", table, STAGE_SCHEMA, required=REQUIRED)
