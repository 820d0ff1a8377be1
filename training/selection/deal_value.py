"""Value of a lead: chance times expected amount, where a history knows amounts."""

from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from features.contracts.history import History
from features.kernel.layout import lead_index
from training.dataset.moments import Dataset, Moments
from training.estimators.design import LeadDesign, build_linear_model
from training.evaluation.resampling import draw_totals, number_leads
from training.models.amount import AmountModel
from training.models.fit_data import FitData
from training.models.linear import LinearModel
from training.selection.competition import FittedCandidate, fit_data

FEWEST_AMOUNTS = 40
"""Converted leads with an amount in the fit slice, below which nothing is said of value."""

FEWEST_LATER = 15
"""And in the slice that sets the level."""


PENALTIES = (10.0, 100.0, 1000.0)
"""Strengths of the ridge penalty that are tried."""


@dataclass(frozen=True)
class ValueFacts:
    """How promised value turned out on the newest slice, in the unit of the amounts."""

    leads_with_amount: int
    """Converted leads with an amount that the model was fitted on."""
    predicted: float
    """Chance times expected amount, summed over the newest slice's moments."""
    observed: float
    """Amounts of those that converted, summed over the same moments."""
    ratio: float
    """Came over promised; 1 is perfect."""
    ratio_low: float
    ratio_high: float
    """Of a 95 % interval, leads drawn with replacement."""
    varies: bool
    """Whether the expected amount differs from lead to lead: it does where that is better on later
    leads than one amount for everyone."""


def find_amounts(moments: Moments) -> NDArray[np.float64]:
    """Find what each converted moment brought: the amount of the change into the stage.

    Returns
    -------
    ndarray of shape (n,), float64
        NaN where the moment did not convert, or where the amount is not known or not above zero.
    """
    changes = _changes_with_amount(moments.history, moments)
    amounts = np.full(len(moments), np.nan)
    as_of = moments.snapshots.as_of
    for row in np.flatnonzero(moments.converted == 1):
        own = changes.get(int(moments.lead_of[row]), ())
        amounts[row] = next((amount for at, amount in own if at >= as_of[row]), np.nan)
    return amounts


def _changes_with_amount(history: History, moments: Moments) -> dict[int, list[tuple[int, float]]]:
    """List each lead's changes into the very stage that carry an amount, in order of time.

    Not into later stages: what a lead brings that is won some day is not what an SQL brings.
    """
    table = history.stages
    chosen = pc.and_(
        pc.equal(table.column("stage").cast(pa.string()), str(moments.outcome.event)),
        pc.greater(pc.fill_null(table.column("amount"), 0.0), 0.0),
    )
    table = table.filter(chosen)
    ids = lead_index(history.leads)
    rows = sorted(
        zip(
            [ids[name] for name in table.column("lead_id").to_pylist()],
            table.column("at").cast(pa.int64()).to_pylist(),
            table.column("amount").to_pylist(),
            strict=True,
        )
    )
    return {
        lead: [(at, amount) for _, at, amount in own]
        for lead, own in groupby(rows, key=itemgetter(0))
    }


def fit_amount(dataset: Dataset, amounts: NDArray[np.float64], seed: int) -> AmountModel | None:
    """Fit the expected amount on the fit slice, its level on the later one.

    Parameters
    ----------
    amounts : ndarray of shape (n,), float64
        From `find_amounts`.

    Returns
    -------
    AmountModel or None
        None where too few converted leads have an amount. One amount for everyone where that
        predicts the later leads' logarithms better.
    """
    known = ~np.isnan(amounts)
    fit, later = dataset.split.fit & known, dataset.split.calibrate & known
    if _count_leads(dataset, fit) < FEWEST_AMOUNTS or _count_leads(dataset, later) < FEWEST_LATER:
        return None
    train, logs = fit_data(dataset, fit, seed), np.log(amounts[fit])
    mean = float(np.average(logs, weights=train.weights))
    flat = LinearModel(mean, dataset.rows.shape[1], {})
    low, high = float(amounts[fit].min()), float(amounts[fit].max())
    tried = [AmountModel(line, 1.0, low, high) for line in (flat, fit_line(train, logs))]

    def error(model: AmountModel) -> float:
        off = np.log(model.expected(dataset.rows[later])) - np.log(amounts[later])
        return float(np.abs(off - off.mean()).mean())

    best = min(tried, key=error)
    level = amounts[later].sum() / best.expected(dataset.rows[later]).sum()
    return replace(best, level=float(level))


def fit_line(train: FitData, log_amount: NDArray[np.float64]) -> LinearModel:
    """Fit a ridge regression of the logarithm; the newest quarter of the leads sets the penalty.

    Parameters
    ----------
    train
        Converted moments with an amount.
    log_amount : ndarray of shape (n,), float64
    """
    design = LeadDesign(train.features)
    laid_out = design.fit_transform(train.rows)
    leads, first = np.unique(train.lead_index, return_index=True)
    order = leads[np.argsort(train.created_at[first], kind="stable")]
    newest = np.isin(train.lead_index, order[int(0.75 * len(order)) :])

    def loss(penalty: float) -> float:
        tried = Ridge(alpha=penalty).fit(
            laid_out[~newest], log_amount[~newest], train.weights[~newest]
        )
        off = tried.predict(laid_out[newest]) - log_amount[newest]
        return float(np.average(off**2, weights=train.weights[newest]))

    best = min(PENALTIES, key=loss)
    fitted = Ridge(alpha=best).fit(laid_out, log_amount, train.weights)
    return build_linear_model(design, fitted.coef_, float(fitted.intercept_), train.rows)


def _count_leads(dataset: Dataset, rows: NDArray[np.bool_]) -> int:
    return len(np.unique(dataset.lead_of[rows]))


def measure_value(
    dataset: Dataset,
    chosen: FittedCandidate,
    model: AmountModel,
    amounts: NDArray[np.float64],
    rng: np.random.Generator,
) -> ValueFacts:
    """Measure on the newest slice whether the value promised is the value that came.

    Moments that converted without a known amount count with what was expected of them.
    """
    newest = dataset.split.newest
    expected = model.expected(dataset.rows[newest])
    predicted = chosen.probabilities[newest] * expected
    converted = dataset.converted[newest] == 1
    observed = np.where(
        converted, np.where(np.isnan(amounts[newest]), expected, amounts[newest]), 0.0
    )
    leads, _ = number_leads(dataset.lead_of[newest], int(newest.sum()))
    pairs = np.stack([observed, predicted], axis=1)
    drawn = draw_totals(pairs, np.zeros(len(pairs), np.int64), leads, rng=rng)[:, 0]
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    fitted = dataset.split.fit & ~np.isnan(amounts)
    return ValueFacts(
        _count_leads(dataset, fitted),
        float(predicted.sum()),
        float(observed.sum()),
        float(observed.sum() / predicted.sum()),
        float(low),
        float(high),
        bool(model.line.terms),
    )
