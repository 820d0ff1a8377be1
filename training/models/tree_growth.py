"""Growing trees by LightGBM itself, for what is no classifier of leads: regressions, parts of a whole."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import MissingOpenMPError


def import_lightgbm() -> Any:
    """Import LightGBM.

    Raises
    ------
    MissingOpenMPError
        If this machine lacks its OpenMP runtime.
    """
    try:
        import lightgbm
    except OSError as problem:
        raise MissingOpenMPError(str(problem)) from problem
    return lightgbm


def draw_rows(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Choose some of too many rows at random, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def regress(
    laid_out: Any,
    y: NDArray[np.float64],
    chosen: NDArray[np.int64],
    settings: dict[str, Any],
    rounds: int,
    *,
    seed: int = 7,
) -> Any:
    """Grow trees on some of the rows that are laid out already."""
    part = laid_out.subset(chosen).construct()  # labels given before that are lost
    part.set_label(y[chosen])
    return import_lightgbm().train({**settings, "seed": seed}, part, rounds)
