"""Columns that a family's formula makes of other columns of the same row."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.catalog.families import FeatureFamilyError, Formula, get_formula
from features.catalog.feature import Feature, Op
from features.catalog.manifest import Catalog

CHECKED_ROWS = 100
"""On so many rows a formula is asked again, row by row."""

AGREES = 1e-5
"""Relative difference between two answers of a formula that are taken for the same."""


class Derived(NamedTuple):
    """A derived feature, and where its column and its inputs are."""

    feature: Feature
    column: int
    inputs: tuple[int, ...]
    formula: Formula


@lru_cache(maxsize=8)
def bind_formulas(catalog: Catalog) -> tuple[Derived, ...]:
    """Find the formulas a catalogue asks for.

    Raises
    ------
    FamilyNotInstalledError
        If a family is not installed.
    """
    at = {name: column for column, name in enumerate(catalog.names)}
    return tuple(
        Derived(f, at[f.name], tuple(at[name] for name in f.inputs), get_formula(f))
        for f in catalog.features
        if f.op is Op.DERIVED
    )


def write_derived(derived: Sequence[Derived], rows: NDArray[np.float32]) -> None:
    """Fill the derived columns of rows whose other columns are computed.

    Raises
    ------
    FeatureFamilyError
        If a formula fails or gives something other than a number per row.
    """
    for one in derived:
        rows[:, one.column] = _ask(one, rows)


def _ask(one: Derived, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    inputs = (rows[:, column].astype(np.float64) for column in one.inputs)
    try:
        with np.errstate(all="ignore"):
            given = np.asarray(one.formula(*inputs), np.float64)
            cells = np.where(np.isfinite(given), given, np.nan).astype(np.float32)
    except Exception as problem:
        raise FeatureFamilyError(
            one.feature.family, f"fails to compute {one.feature.name!r}: {problem}"
        ) from problem
    if cells.shape != (len(rows),):
        raise FeatureFamilyError(
            one.feature.family,
            f"gives shape {cells.shape} for {one.feature.name!r} of {len(rows)} rows",
        )
    return np.where(np.isfinite(cells), cells, np.float32(np.nan))


def check_row_by_row(catalog: Catalog, rows: NDArray[np.float32]) -> None:
    """Check that formulas say of a row alone what they say of it among others.

    Raises
    ------
    FeatureFamilyError
        Else: a score would depend on who is scored beside.
    """
    some = rows[:: max(1, len(rows) // CHECKED_ROWS)]
    for one in bind_formulas(catalog):
        alone = [_ask(one, some[i : i + 1])[0] for i in range(len(some))]
        _check_same(one, np.array(alone), some, "among other rows than for a row alone")


def check_as_before(catalog: Catalog, rows: NDArray[np.float32]) -> None:
    """Check that formulas still say what they said when some rows were computed.

    Raises
    ------
    FamilyNotInstalledError
        If a family is not installed.
    FeatureFamilyError
        If a formula was changed since.
    """
    for one in bind_formulas(catalog):
        _check_same(one, _ask(one, rows), rows, "here than where the model was trained")


def _check_same(
    one: Derived, again: NDArray[np.float32], rows: NDArray[np.float32], where: str
) -> None:
    if not np.allclose(again, rows[:, one.column], rtol=AGREES, atol=0.0, equal_nan=True):
        raise FeatureFamilyError(
            one.feature.family, f"computes another {one.feature.name!r} {where}"
        )
