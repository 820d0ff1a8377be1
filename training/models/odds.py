"""Points , log-odds and chances: the one scale that hand-given points and learned ones share."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

DOUBLING_POINTS = 10.0
"""Points that double the odds (docs/decisions/0001)."""

POINTS_PER_LOGIT = DOUBLING_POINTS / np.log(2.0)


def sigmoid(log_odds: ArrayLike) -> NDArray[np.float64]:
    """Turn log-odds into chances: ``scipy.special.expit`` for the server, which has no SciPy.

    Examples
    --------
    >>> sigmoid([-800.0, 0.0, 800.0]).tolist()
    [0.0, 0.5, 1.0]
    """
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(log_odds, np.float64))))
