"""Frames of feature rows, as data scientists hold them: read into the matrix, scored, answered in kind."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.catalog.fit import OTHER_CATEGORY
from features.catalog.manifest import Catalog
from training.bundle import HIGHEST_POINTS, LOWEST_POINTS, Bundle
from training.errors import FrameColumnsError, FrameTypeError

ANSWER = ("probability", "points", "band", "not_enough_known")
WORDS = frozenset({"band", "not_enough_known"})
"""Columns of the answer, and which of them are text."""


def read_rows(catalog: Catalog, frame: Any) -> NDArray[np.float32]:
    """Read a frame into the matrix of a catalogue's features.

    Parameters
    ----------
    catalog
        Names the columns. Numbers are numbers; categories are names, of which an empty one is not
        known, and one that the catalogue has never met counts as other.
    frame
        An Arrow table or record batch, or a frame of pandas, Polars or whatever else offers itself
        as Arrow, with a column for each feature, in any order; further columns are left aside.

    Returns
    -------
    ndarray of shape (n_rows, n_features), float32
        NaN where a cell is empty.

    Raises
    ------
    FrameColumnsError
        If features are missing.
    FrameTypeError
        If a column holds something else than its feature.
    """
    table = _select(frame, catalog.names)
    rows = np.empty((table.num_rows, len(catalog.features)), np.float32)
    for position, feature in enumerate(catalog.features):
        column = table.column(feature.name)
        if feature.categories:
            rows[:, position] = _read_codes(feature.name, column, feature.categories)
        else:
            rows[:, position] = _read_numbers(feature.name, column)
    return rows


def _select(frame: Any, names: Sequence[str]) -> pa.Table:
    if isinstance(frame, pa.RecordBatch):
        frame = pa.table(frame)
    is_arrow = isinstance(frame, pa.Table)
    there = set(frame.column_names if is_arrow else frame.columns)
    missing = [name for name in names if name not in there]
    if missing:
        raise FrameColumnsError(missing)
    chosen = list(dict.fromkeys(names))
    return frame.select(chosen) if is_arrow else pa.table(frame[chosen])


def _read_numbers(name: str, column: pa.ChunkedArray) -> NDArray[np.float64]:
    kind = column.type
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    ):
        raise FrameTypeError(name, str(kind), "numbers")
    numbers: NDArray[np.float64] = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return numbers


def _read_codes(
    name: str, column: pa.ChunkedArray, categories: Sequence[str]
) -> NDArray[np.float64]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    ):
        raise FrameTypeError(name, str(column.type), "names of categories")
    known = pa.array(categories, pa.string())
    names = pc.cast(column, pa.string())
    trimmed = pc.utf8_trim_whitespace(names)
    # A name that the model knows counts as it stands, blanks and all.
    codes = pc.coalesce(
        pc.index_in(names, value_set=known),
        pc.index_in(trimmed, value_set=known),
        pc.index_in(pa.scalar(OTHER_CATEGORY), value_set=known),
    )
    empty = pc.fill_null(pc.equal(trimmed, ""), fill_value=True)
    filled = pc.if_else(empty, pa.scalar(None, codes.type), codes)
    numbers: NDArray[np.float64] = pc.cast(filled, pa.float64()).to_numpy()
    return numbers


def answer_rows(bundle: Bundle, rows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Score rows; leads of whom too little is known have no score, and the reason why.

    Returns
    -------
    dict
        A column of `ANSWER` each: numbers with NaN, text with None, where there is no score.
    """
    scores = bundle.score(rows)
    unknown = bundle.find_unknown(rows)
    known = np.array([why is None for why in unknown], np.bool_)
    bands = [
        bundle.band_of(points).name if ok else None
        for points, ok in zip(scores.points, known, strict=True)
    ]
    points = np.clip(scores.points, LOWEST_POINTS, HIGHEST_POINTS)
    columns = (
        np.where(known, scores.probability, np.nan),
        np.where(known, points, np.nan),
        np.array(bands, object),
        np.array([why or "" for why in unknown], object),
    )
    return dict(zip(ANSWER, columns, strict=True))


def score_frame(bundle: Bundle, frame: Any) -> Any:
    """Score a frame of feature rows; pandas is answered with pandas, all else with Arrow."""
    answer = answer_rows(bundle, read_rows(bundle.catalog, frame))
    # Not imported: a frame of pandas comes from somebody who has done so, and a server has none.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        # By the type of each: else pandas would make its own text of names, and lose None.
        columns = {
            name: pandas.Series(cells, frame.index, cells.dtype) for name, cells in answer.items()
        }
        return pandas.DataFrame(columns, frame.index)
    return pa.table(
        {
            name: pa.array(cells, pa.string() if name in WORDS else pa.float64(), from_pandas=True)
            for name, cells in answer.items()
        }
    )
