"""What a history in memory is known by, where no files can be hashed."""

import hashlib

import pyarrow as pa

from features.contracts.history import History
from features.sources.history.manifest import TABLES


def fingerprint_tables(history: History) -> str:
    """Hash the tables of a history, whichever way they are cut into chunks.

    Another fingerprint than that of the folder it was read from: that one is of files.
    """
    digest = hashlib.sha256()
    for name in TABLES:
        table = getattr(history, name)
        digest.update(f"{name} {table.num_rows} {table.schema.to_string()}".encode())
        # Copied row by row range into fresh buffers: what is hashed has no offsets and no old chunks.
        for batch in table.combine_chunks().to_batches(max_chunksize=65_536):
            digest.update(_write(batch.take(pa.array(range(batch.num_rows)))))
    digest.update(f"{history.about.source} {history.about.observed_until}".encode())
    return digest.hexdigest()


def _write(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    written: bytes = sink.getvalue().to_pybytes()
    return written
