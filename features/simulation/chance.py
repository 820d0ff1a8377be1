"""Chances and log-odds."""

import numpy as np
import numpy.typing as npt


def sigmoid(log_odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn log-odds into a chance."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))
