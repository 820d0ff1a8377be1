"""A matrix on disk: a folder of Parquet or Arrow files, one per partition, as pandas reads it.

Names, order, types and categories of the columns are those of the catalogue.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.catalog.feature import Feature
from features.catalog.manifest import Catalog
from features.compute.errors import MatrixFolderTakenError
from features.compute.part import Part
from features.contracts.columns import TIME

ABOUT_FILE = "_matrix.json"
"""What the matrix is; written last. Readers of Parquet folders pass over leading underscores."""

FINGERPRINT_KEY = b"baton.catalog_fingerprint"
GRID_KEY = b"baton.grid"

ROWS_PER_BATCH = 32_768
"""Rows turned into columns at a time: this bounds what turning needs beside the matrix."""


class MatrixFormat(StrEnum):
    """How the files of a matrix are written."""

    PARQUET = "parquet"
    ARROW = "arrow"


def _category_type(feature: Feature) -> pa.DataType:
    index = pa.int8() if len(feature.categories) <= np.iinfo(np.int8).max else pa.int16()
    return pa.dictionary(index, pa.string())


def build_schema(catalog: Catalog, grid_words: str) -> pa.Schema:
    """Build the schema of a matrix: ``lead_id``, ``as_of``, then a column per feature.

    Numbers are single precision, categories dictionaries of the catalogue's names; an empty cell
    means what the feature's ``null_words`` say. The metadata name the catalogue and the grid.
    """
    features = [
        pa.field(f.name, _category_type(f) if f.categories else pa.float32())
        for f in catalog.features
    ]
    return pa.schema(
        [pa.field("lead_id", pa.string(), False), pa.field("as_of", TIME, False), *features],
        metadata={FINGERPRINT_KEY: catalog.fingerprint.encode(), GRID_KEY: grid_words.encode()},
    )


def _column(feature: Feature, cells: NDArray[np.float32]) -> pa.Array:
    if not feature.categories:
        return pa.array(cells, from_pandas=True)  # NaN, not known, becomes an empty cell
    empty = np.isnan(cells)
    index_type = np.dtype(_category_type(feature).index_type.to_pandas_dtype())
    codes = np.where(empty, 0, cells).astype(index_type)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, mask=empty), pa.array(feature.categories, pa.string())
    )


def read_batches(part: Part, catalog: Catalog, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Turn the rows of a part into columns, some thousand rows at a time."""
    of, rows = part.snapshots, part.rows
    for begin in range(0, len(of), ROWS_PER_BATCH):
        own = slice(begin, begin + ROWS_PER_BATCH)
        cells = np.ascontiguousarray(rows[own].T)
        yield pa.record_batch(
            [
                part.lead_ids.take(pa.array(of.lead_index[own])),
                pa.array(of.as_of[own]).cast(TIME),
                *(_column(f, c) for f, c in zip(catalog.features, cells, strict=True)),
            ],
            schema=schema,
        )


def build_table(parts: Iterator[Part] | list[Part], catalog: Catalog, grid_words: str) -> pa.Table:
    """Gather parts into one table in memory; ``.to_pandas()`` makes it a DataFrame."""
    schema = build_schema(catalog, grid_words)
    batches = [batch for part in parts for batch in read_batches(part, catalog, schema)]
    return pa.Table.from_batches(batches, schema)


def part_file(position: int, format_: MatrixFormat) -> str:
    """Name the file of a partition.

    >>> part_file(3, MatrixFormat.PARQUET)
    'part-00003.parquet'
    """
    return f"part-{position:05d}.{format_}"


def write_part(
    part: Part, catalog: Catalog, grid_words: str, folder: Path, format_: MatrixFormat
) -> int:
    """Write the file of one part; give the number of its rows. The same part, the same bytes."""
    schema = build_schema(catalog, grid_words)
    path = folder / part_file(part.position, format_)
    if format_ is MatrixFormat.ARROW:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in read_batches(part, catalog, schema):
                writer.write_batch(batch)
        return len(part.snapshots)
    coded = ["lead_id", *(f.name for f in catalog.features if f.categories)]
    with pq.ParquetWriter(
        path, schema, compression="lz4", use_dictionary=coded, write_statistics=False
    ) as writer:
        for batch in read_batches(part, catalog, schema):
            writer.write_batch(batch)
    return len(part.snapshots)


def _is_matrix(folder: Path) -> bool:
    return (folder / ABOUT_FILE).is_file() or not any(folder.iterdir())


class NewMatrix:
    """A matrix in the making."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about: dict[str, Any] = {}
        """Written at the end."""


@contextmanager
def replaced_matrix(folder: Path) -> Iterator[NewMatrix]:
    """Give a new folder beside ``folder``; when the block ends well it takes its place.

    Raises
    ------
    MatrixFolderTakenError
        If the folder holds files but no matrix: nobody's documents are replaced by accident.
    """
    if folder.exists() and not (folder.is_dir() and _is_matrix(folder)):
        raise MatrixFolderTakenError(str(folder))
    folder = folder.resolve()  # workers may stand elsewhere
    folder.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    matrix, old = NewMatrix(workspace / "new"), workspace / "old"
    matrix.folder.mkdir()
    try:
        yield matrix
        text = json.dumps(matrix.about, indent=1)
        (matrix.folder / ABOUT_FILE).write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        matrix.folder.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(workspace, ignore_errors=True)
