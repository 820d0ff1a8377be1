"""Leads: who they are, and since when each version of that was known."""

from typing import Literal

import pyarrow as pa

from features.contracts.columns import TIME, check_columns, plain_type
from features.errors import ContractError

AttributeType = Literal["number", "category", "flag", "time"]

ATTRIBUTE_ARROW_TYPES: dict[AttributeType, pa.DataType] = {
    "number": pa.float64(),
    "category": pa.string(),
    "flag": pa.bool_(),
    "time": TIME,
}

LEAD_SCHEMA = pa.schema(
    [
        pa.field("lead_id", pa.string()),
        pa.field("known_at", TIME),
        pa.field("created_at", TIME),
        pa.field("account_id", pa.string()),
    ]
)
"""Each row is a *version*: the whole lead as known from ``known_at`` on, until the next version.

The first version of a lead has ``known_at == created_at``. Any further column is an attribute;
its Arrow type says which kind (see ``ATTRIBUTE_ARROW_TYPES``). Null means unknown.
"""

REQUIRED = frozenset({"lead_id", "known_at", "created_at"})


def attribute_types(table: pa.Table) -> dict[str, AttributeType]:
    """Tell the attributes of a lead table and their types, in column order.

    Raises
    ------
    ContractError
        If a column has a type no attribute may have.
    """
    by_arrow: dict[pa.DataType, AttributeType] = {
        arrow: name for name, arrow in ATTRIBUTE_ARROW_TYPES.items()
    }
    found: dict[str, AttributeType] = {}
    for field in table.schema:
        if field.name in LEAD_SCHEMA.names:
            continue
        name = by_arrow.get(plain_type(field.type))
        if name is None or (name != "category" and pa.types.is_dictionary(field.type)):
            raise ContractError("lead", f"has attribute {field.name!r} of type {field.type}")
        found[field.name] = name
    return found


def check_leads(table: pa.Table) -> None:
    """Check a lead table: columns, types, required values, attribute types."""
    check_columns("lead", table, LEAD_SCHEMA, required=REQUIRED)
    attribute_types(table)
