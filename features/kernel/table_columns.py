"""Columns of Arrow tables as arrays of numbers: times, codes of texts, numbers of leads."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.errors import ContractError
from features.kernel.encode import UNKNOWN_CODE

if TYPE_CHECKING:
    import pyarrow as pa


def times(column: "pa.ChunkedArray") -> NDArray[np.int64]:
    """Give a column of times as microseconds since the epoch."""
    import pyarrow as pa

    return np.asarray(column.cast(pa.int64()).to_numpy())


def distinct(column: "pa.ChunkedArray") -> tuple["pa.Array", NDArray[np.int32]]:
    """Give a text column's distinct values, and the position of each row's among them.

    A missing value has position -1.
    """
    import pyarrow as pa

    is_coded = pa.types.is_dictionary(column.type)
    whole = (column.unify_dictionaries() if is_coded else column).combine_chunks()
    coded = whole if is_coded else whole.dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = pa.chunked_array(coded).unify_dictionaries().combine_chunks()
    indices = coded.indices.cast(pa.int32())
    if indices.null_count:
        indices = indices.fill_null(-1)
    return coded.dictionary, indices.to_numpy(zero_copy_only=False)


def codes(
    column: "pa.ChunkedArray", code_all: Callable[[list[str]], Sequence[float]]
) -> NDArray[np.int16]:
    """Code a text column by coding its distinct values once; a missing one is -1."""
    values, positions = distinct(column)
    # A last code, which position -1 finds, for what is missing.
    found = np.array([*code_all(values.to_pylist()), UNKNOWN_CODE], np.int16)
    return np.asarray(found[positions])


def leads_of(record: str, column: "pa.ChunkedArray", lead_ids: "pa.Array") -> NDArray[np.int64]:
    """Find each row's lead: its number in the lead table.

    Raises
    ------
    ContractError
        Naming the record and a lead that the lead table lacks.
    """
    import pyarrow.compute as pc

    values, positions = distinct(column)
    found = pc.index_in(values.cast(lead_ids.type), value_set=lead_ids)
    if found.null_count:
        strange = values.filter(found.is_null())[0].as_py()
        raise ContractError(record, f"names lead {strange!r}, which the lead table lacks")
    return np.asarray(found.to_numpy(zero_copy_only=False).astype(np.int64)[positions])


def lead_ids(leads: "pa.Table") -> tuple["pa.Array", NDArray[np.int64]]:
    """List the leads of a lead table by first appearance, and number the lead of each row."""
    import pyarrow as pa

    values, positions = distinct(leads.column("lead_id").cast(pa.string()))
    return values, positions.astype(np.int64)
