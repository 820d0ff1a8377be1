"""Scores of everyone in a history at one moment, partition by partition: here or on workers."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.clock import to_us
from features.compute.grids import AtMoment
from features.compute.part import Job, Part, compute_history, compute_part
from features.compute.stream import in_order
from features.contracts.columns import TIME
from features.contracts.history import History
from training.bundle import HIGHEST_POINTS, LOWEST_POINTS, Bundle, Scores, load_bundle

ROWS_AT_A_TIME = 8192
"""Rows whose reasons are in memory at a time."""

SCORE_SCHEMA = pa.schema(
    [
        pa.field("lead_id", pa.string(), nullable=False),
        pa.field("as_of", TIME, nullable=False),
        pa.field("probability", pa.float64()),
        pa.field("points", pa.float64()),
        pa.field("band", pa.string()),
        pa.field("expected_value", pa.float64()),
        pa.field("stage", pa.string()),
        pa.field("why", pa.string()),
    ]
)
"""A row per lead. ``probability``, ``points`` (as people see them) and ``band`` are empty where
not enough is known, and ``why`` says why. ``expected_value`` is chance times expected amount, empty
where amounts are not known. ``stage`` is where the lead stood: a model learned from
leads that were still open."""


def score_part(bundle_folder: str, job: Job, position: int) -> pa.Table:
    """Compute the features of one partition's leads and score them.

    Parameters
    ----------
    bundle_folder
        Of the bundle, under the same path for everyone who works on it.
    job, position
        As for ``compute_part``; the catalogue is the bundle's.
    """
    return _score_part(_bundle(bundle_folder), compute_part(job, position))


def score_history(bundle: Bundle, history: History, as_of: datetime | None) -> pa.Table:
    """Score the leads of a history in memory at one moment, by default the end of what was observed.

    Raises
    ------
    ValueError
        If the moment has no time zone, or lies after the end of what was observed.
    """
    end = history.about.observed_until
    moment = end if as_of is None else as_of
    if moment.tzinfo is None or moment > end:
        raise ValueError(f"{moment} has no time zone, or lies after the history's end, {end}.")
    return _score_part(bundle, compute_history(history, bundle.catalog, AtMoment(to_us(moment))))


def _score_part(bundle: Bundle, part: Part) -> pa.Table:
    pieces = [
        _score_rows(bundle, part, begin, part.rows[begin : begin + ROWS_AT_A_TIME])
        for begin in range(0, len(part.rows), ROWS_AT_A_TIME)
    ]
    return pa.concat_tables([SCORE_SCHEMA.empty_table(), *pieces])


@lru_cache(maxsize=2)
def _bundle(folder: str) -> Bundle:
    return load_bundle(Path(folder))


def _score_rows(bundle: Bundle, part: Part, begin: int, rows: NDArray[np.float32]) -> pa.Table:
    own = slice(begin, begin + len(rows))
    unknown = bundle.find_unknown(rows)
    scored = np.array([why is None for why in unknown], np.bool_)
    scores = bundle.score(rows[scored])
    points = np.clip(scores.points, LOWEST_POINTS, HIGHEST_POINTS)
    return pa.table(
        [
            part.lead_ids.take(pa.array(part.snapshots.lead_index[own])),
            pa.array(part.snapshots.as_of[own]).cast(TIME),
            _spread(scored, scores.probability),
            _spread(scored, points),
            _bands(bundle, scored, points),
            _values(scored, scores),
            _stages(bundle, rows),
            pa.array(unknown, pa.string()),
        ],
        schema=SCORE_SCHEMA,
    )


def _spread(scored: NDArray[np.bool_], values: NDArray[np.float64]) -> pa.Array:
    cells = np.zeros(len(scored))
    cells[scored] = values
    return pa.array(cells, mask=~scored)


def _values(scored: NDArray[np.bool_], scores: Scores) -> pa.Array:
    if scores.amounts is None:
        return pa.nulls(len(scored), pa.float64())
    return _spread(scored, scores.probability * scores.amounts)


def _bands(bundle: Bundle, scored: NDArray[np.bool_], points: NDArray[np.float64]) -> pa.Array:
    edges = np.array([band.points_from for band in bundle.bands])
    position = np.zeros(len(scored), np.int64)
    position[scored] = (points[:, None] < edges[None, :]).sum(axis=1)
    names = pa.array([band.name for band in bundle.bands], pa.string())
    return names.take(pa.array(position, mask=~scored))


def _stages(bundle: Bundle, rows: NDArray[np.float32]) -> pa.Array:
    column = bundle.catalog.names.index("current_stage")
    codes = rows[:, column]
    names = pa.array(bundle.catalog.features[column].categories, pa.string())
    empty = np.isnan(codes)
    return names.take(pa.array(np.where(empty, 0, codes).astype(np.int64), mask=empty))


def score_parts(job: Job, bundle_folder: str, *, threads: int | None = None) -> Iterator[pa.Table]:
    """Score a history partition by partition, in their order, on all cores."""

    def score(position: int) -> pa.Table:
        return score_part(bundle_folder, job.of_partition(position), position)

    return in_order(score, range(job.folder.n_partitions), threads or os.cpu_count() or 1)


def write_scores(
    tables: Iterable[pa.Table],
    to: Path,
    bundle: Bundle,
    *,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Write scores as one Parquet file, which appears whole or not at all.

    Returns
    -------
    dict
        Leads in each band, and under the empty name those that could not be scored.
    """
    counts = dict.fromkeys([*(band.name for band in bundle.bands), ""], 0)
    metadata = {
        b"baton.model": f"{bundle.name} {bundle.version}",
        b"baton.contract": bundle.contract.text,
    }
    to.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=f".{to.name}-", dir=to.parent)) / to.name
    try:
        with pq.ParquetWriter(
            draft, SCORE_SCHEMA.with_metadata(metadata), compression="zstd"
        ) as file:
            for table in tables:
                file.write_table(table)
                for pair in table.column("band").value_counts().to_pylist():
                    counts[pair["values"] or ""] += pair["counts"]
                progress()
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
        draft.parent.rmdir()
    return counts
