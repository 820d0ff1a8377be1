"""What the four tables share: the time type, and the check that a table has its columns."""

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import ContractError

TIME = pa.timestamp("us", tz="UTC")
"""Every time is UTC with microseconds; the instant, not the wall time, is what windows run on."""


def plain_type(type_: pa.DataType) -> pa.DataType:
    """Give the type of what a column holds, be it written plainly or by a dictionary."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def check_columns(
    record: str, table: pa.Table, schema: pa.Schema, *, required: frozenset[str]
) -> None:
    """Check that a table has a record's columns, with their types, and no null where one matters.

    Texts may be dictionary-encoded.

    Raises
    ------
    ContractError
        Naming the column and what is wrong with it.
    """
    for field in schema:
        position = table.schema.get_field_index(field.name)
        if position < 0:
            raise ContractError(record, f"lacks the column {field.name!r}")
        found = table.schema.field(position).type
        if found != field.type and not (_is_text(field.type) and plain_type(found) == field.type):
            raise ContractError(record, f"has {field.name!r} as {found}, not {field.type}")
        if field.name in required and table.column(field.name).null_count:
            empty = pc.sum(pc.is_null(table.column(field.name))).as_py()
            raise ContractError(record, f"has {empty} empty values in {field.name!r}")


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_))
