"""The models that compete, simplest first: of equals the first is chosen."""

from types import MappingProxyType

from training.models.boosting import fit_boosting
from training.models.fit_data import Fitter
from training.models.logistic import fit_logistic
from training.models.naive_bayes import fit_naive_bayes
from training.models.points import fit_points

POINTS = "points table"
BAYES = "naive Bayes"
LINEAR = "logistic regression"
TREES = "LightGBM"
TUNED = "LightGBM, tuned"
"""Competes beside `TREES` where settings were searched."""

CANDIDATES: MappingProxyType[str, Fitter] = MappingProxyType(
    {
        POINTS: fit_points,
        BAYES: fit_naive_bayes,
        LINEAR: fit_logistic,
        TREES: fit_boosting,
    }
)
"""By name, in rising order of what they can learn."""
