"""How features enter a linear model: squeezed, standardised, one column per category."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from features.catalog.feature import Feature
from training.estimators.classifier import HELD, describe_columns
from training.models.linear import FAR, LinearModel, Term, measure_from_mean, transform

RARELY, MOSTLY = 0.001, 0.999
"""Shares of unknown values between which "not known" is a column of its own."""


class LeadDesign(TransformerMixin, BaseEstimator):
    """Lay features out for a linear model that serving can read as one term per feature.

    A number is squeezed by ``sign(x) log(1 + |x|)``, standardised, cut at `linear.FAR` standard
    deviations, and 0 where it is not known; a category has a column per code. What is not known
    sometimes has a column for that. Numbers that never differ are left out.

    Parameters
    ----------
    features : sequence of Feature, optional
        One per column; without them every column is a number.

    Attributes
    ----------
    columns_ : ColumnTransformer
        With the parts ``numbers``, ``categories`` and ``unknown``.
    """

    def __init__(self, features: Sequence[Feature] | None = None) -> None:
        self.features = features

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's contract
        """Learn which columns say something, and the scale of the numbers."""
        rows = validate_data(self, X, **HELD)
        features = describe_columns(self.features, rows.shape[1])
        unknown = np.isnan(rows).mean(axis=0)
        is_gappy = (unknown > RARELY) & (unknown < MOSTLY)
        varies = _list_varying(rows) | is_gappy
        coded = [i for i, f in enumerate(features) if f.categories]
        numbers = [i for i, f in enumerate(features) if not f.categories and varies[i]]
        codes = [np.arange(len(features[i].categories), dtype=np.float32) for i in coded]
        one_hot = OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False)
        self.columns_ = ColumnTransformer(
            [
                ("numbers", _build_number_steps(), numbers),
                ("categories", one_hot, coded),
                ("unknown", MissingIndicator(features="all"), np.flatnonzero(is_gappy).tolist()),
            ]
        ).fit(rows)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Lay rows out, of shape (n_rows, n_columns)."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, **HELD)
        return np.asarray(self.columns_.transform(rows), np.float64)

    def read_terms(
        self, weights: NDArray[np.float64], rows: NDArray[np.float32]
    ) -> dict[int, Term]:
        """Turn weights of the columns into a term per feature, measured from its mean over rows."""
        terms: dict[int, Term] = {}
        slices = self.columns_.output_indices_
        at = {name: columns for name, _, columns in self.columns_.transformers_}
        if at.get("numbers"):
            scaler = self.columns_.named_transformers_["numbers"].named_steps["standardscaler"]
            own = weights[slices["numbers"]]
            for place, column in enumerate(at["numbers"]):
                center, scale = float(scaler.mean_[place]), float(scaler.scale_[place])
                terms[column] = Term(center, scale, float(own[place]), 0.0, (), 0.0)
        if at.get("categories"):
            own = weights[slices["categories"]]
            sizes = [
                len(codes) for codes in self.columns_.named_transformers_["categories"].categories_
            ]
            parts = np.split(own, np.cumsum(sizes)[:-1])
            for column, part in zip(at["categories"], parts, strict=True):
                terms[column] = Term(0.0, 1.0, 0.0, 0.0, tuple(map(float, part)), 0.0)
        for column, weight in zip(at.get("unknown", ()), weights[slices["unknown"]], strict=True):
            terms[column] = replace(terms[column], missing=float(weight))
        return measure_from_mean(dict(sorted(terms.items())), rows)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _list_varying(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the columns whose known values differ."""
    known = ~np.isnan(rows)
    highest = np.max(rows, axis=0, where=known, initial=-np.inf)
    lowest = np.min(rows, axis=0, where=known, initial=np.inf)
    return np.asarray(highest > lowest)


def _build_number_steps() -> Pipeline:
    return make_pipeline(
        FunctionTransformer(squeeze),
        StandardScaler(),
        FunctionTransformer(np.clip, kw_args={"a_min": -FAR, "a_max": FAR}),
        SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True),
    )


def squeeze(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compress long tails, in double precision."""
    return transform(rows.astype(np.float64))


def build_linear_model(
    design: LeadDesign,
    weights: NDArray[np.float64],
    intercept: float,
    rows: NDArray[np.float32],
) -> LinearModel:
    """Turn a linear model of a design into one term per feature, measured from the mean row."""
    terms = design.read_terms(weights, rows)
    bias = intercept + sum(term.mean for term in terms.values())
    return LinearModel(float(bias), rows.shape[1], terms)
