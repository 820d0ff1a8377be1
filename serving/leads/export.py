"""Everyone's latest score as one file, written while it is read: memory holds a thousand leads."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from features import clock
from serving.store.session import Store, UnitOfWork

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_A_TIME = 1_000
COLUMNS = (
    "lead_id", "account_id", "contract", "as_of", "status", "points", "probability", "band",
    "model_version",
)  # fmt: skip
NUMBERS = frozenset({"points", "probability"})
MOMENTS = frozenset({"as_of"})

PAGE = """
SELECT s.lead_id, l.account_id, s.contract, s.as_of, s.status, s.points, s.probability, s.band,
    s.model_version
FROM score s JOIN lead l ON l.lead_id = s.lead_id
WHERE s.contract = %(contract)s AND s.is_latest AND l.merged_into IS NULL
    AND s.lead_id > %(after)s
ORDER BY s.lead_id LIMIT %(limit)s
"""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def _read_page(work: UnitOfWork, contract: str, after: str) -> list[Any]:
    asked = {"contract": contract, "after": after, "limit": ROWS_AT_A_TIME}
    return list(work.execute(PAGE, asked))


def _read_pages(store: Store, contract: str) -> Iterator[list[Any]]:
    """Read all in the order of their ids, as of one moment."""
    after = ""
    with store.work(read_only=True) as work:
        while page := _read_page(work, contract, after):
            yield page
            after = page[-1].lead_id


def _disarm(cell: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def export_csv(store: Store, contract: str) -> Iterator[bytes]:
    """Write latest scores as CSV, page by page; times in ISO 8601, empty where not known."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for page in _read_pages(store, contract):
        for row in page:
            cells = [c.isoformat() if isinstance(c, datetime) else _disarm(c) for c in row]
            writer.writerow(cells)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    if rest := text.getvalue():
        yield rest.encode()


def _validity(cells: Sequence[Any]) -> "pa.Buffer":
    import pyarrow as pa

    known = np.array([cell is not None for cell in cells], np.bool_)
    return pa.py_buffer(np.packbits(known, bitorder="little"))


def _array(name: str, cells: Sequence[Any]) -> "pa.Array":
    """Build a column; not by pa.array(), which imports pandas to ask whether it was given a Series."""
    import pyarrow as pa

    valid = _validity(cells)
    if name in NUMBERS:
        numbers = np.array([0.0 if cell is None else cell for cell in cells], np.float64)
        return pa.Array.from_buffers(pa.float64(), len(cells), [valid, pa.py_buffer(numbers)])
    if name in MOMENTS:
        moments = np.array([clock.to_us(cell) for cell in cells], np.int64)
        utc = pa.timestamp("us", tz="UTC")
        return pa.Array.from_buffers(utc, len(cells), [None, pa.py_buffer(moments)])
    texts = [b"" if cell is None else str(cell).encode() for cell in cells]
    ends = np.cumsum([0, *(len(text) for text in texts)]).astype(np.int32)
    buffers = [valid, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(pa.string(), len(cells), buffers)


class _Sink(io.RawIOBase):
    """Takes what is written, to be handed on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes in."""
        self.parts.append(bytes(data))
        return len(self.parts[-1])

    def take(self) -> bytes:
        """Give what was written since the last time."""
        taken, self.parts = b"".join(self.parts), []
        return taken


def export_parquet(store: Store, contract: str) -> Iterator[bytes]:
    """Write latest scores as Parquet, a row group per page."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    empty = [_array(name, []) for name in COLUMNS]
    schema = pa.schema([pa.field(n, a.type) for n, a in zip(COLUMNS, empty, strict=True)])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for page in _read_pages(store, contract):
            columns = zip(*page, strict=True)
            arrays = [_array(n, cells) for n, cells in zip(COLUMNS, columns, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()
