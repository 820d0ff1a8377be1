"""Whether those who handed leads over saw more than the log holds: what can be checked of it.

An unobserved confounder breaks every estimate from logged handoffs, and no data of the log alone
rule it out. Two things show it where it is strong. Leads that sellers picked become an SQL more
often than the model says of leads that look the same and were handed over by rule. And leads handed
over by lot, whom nobody picked, become an SQL less often than the model says.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from features.contracts.history import History
from features.kernel.layout import lead_index
from features.lifecycle.stages import Stage
from training.evaluation.logistic import compute_covariance, finite_logit, fit_logistic
from training.evaluation.resampling import NORMAL_975, Interval, number_leads
from training.timing.labels import BY_LOT, Handoffs

PICKED = frozenset({"discretionary", "discretion", "picked", "manual"})
"""Signals of a handoff that a person chose."""

FEWEST = 30
"""Handoffs of a kind below which nothing is said of it."""

REMEDY = (
    "Hand over a few leads at random, with the probability recorded (`propensity` of the stage "
    "change): that is the only remedy."
)


@dataclass(frozen=True, slots=True)
class ConfoundingCheck:
    """How much more often one kind of handoff became an SQL than others that look the same."""

    kind: str
    """picked by sellers, or drawn by lot."""
    handoffs: int
    log_odds: float
    """Beyond what is predicted from the features; NaN where it cannot be told."""
    interval: Interval


def read_signals(history: History, handoffs: Handoffs) -> NDArray[np.str_]:
    """Read what made each handoff happen, as the log says; lower case."""
    table = history.stages
    ids = lead_index(history.leads)
    stage = table.column("stage").to_pylist()
    at = table.column("at").cast(pa.int64()).to_pylist()
    signal = table.column("signal").to_pylist()
    lead = [ids[name] for name in table.column("lead_id").to_pylist()]
    signals = {
        (who, when): (what or "").lower()
        for who, when, where, what in zip(lead, at, stage, signal, strict=True)
        if where == Stage.MQL
    }
    pairs = zip(handoffs.lead.tolist(), handoffs.at.tolist(), strict=True)
    return np.array([signals.get(pair, "") for pair in pairs], np.str_)


def measure_confounding(
    kind: str, is_kind: ArrayLike, sql: ArrayLike, predicted: ArrayLike, lead: ArrayLike
) -> ConfoundingCheck:
    """Measure how a kind of handoff differs from the others beyond what is predicted.

    A logistic regression of the outcome on the predicted log-odds and the kind; intervals by
    sandwich over leads.

    Parameters
    ----------
    is_kind, sql : array of shape (n,), bool
        Of handoffs that have come to an end.
    predicted : array of shape (n,)
        P(SQL) by a model that other leads taught.
    lead : array of shape (n,)
    """
    own = np.asarray(is_kind, np.float64)
    n = int(own.sum())
    unknown = ConfoundingCheck(
        kind, n, float("nan"), Interval(float("nan"), float("nan"), "too few")
    )
    if min(n, len(own) - n) < FEWEST:
        return unknown
    design = np.stack(
        [np.ones(len(own)), finite_logit(np.asarray(predicted, np.float64)), own], axis=1
    )
    targets = np.asarray(sql, np.float64)
    fit = fit_logistic(design, targets)
    if not fit.settled:
        return unknown
    leads, _ = number_leads(lead, len(own))
    error = float(np.sqrt(compute_covariance(fit, design, targets, leads)[2, 2]))
    value = float(fit.coefficients[2])
    half = NORMAL_975 * error
    return ConfoundingCheck(
        kind, n, value, Interval(value - half, value + half, "sandwich over leads")
    )


def check_hidden_picks(
    signals: NDArray[np.str_], handoffs: Handoffs, predicted: NDArray[np.float64]
) -> tuple[ConfoundingCheck, ...]:
    """Measure picks against the rule, and lots against all others; raised hands apart."""
    known = handoffs.is_resolved & ~handoffs.raised
    picked = np.isin(signals, sorted(PICKED))
    lot = (signals == BY_LOT) | np.isfinite(handoffs.propensity)
    among = known & ~lot
    columns = (handoffs.sql, predicted, handoffs.lead)
    return (
        measure_confounding("picked by sellers", picked[among], *(c[among] for c in columns)),
        measure_confounding("drawn by lot", lot[known], *(c[known] for c in columns)),
    )


def list_warnings(confounding_checks: tuple[ConfoundingCheck, ...]) -> list[str]:
    """Say what the checks mean for whoever reads the estimates."""
    picked, lot = confounding_checks
    sentences = []
    if picked.interval.low > 0:
        sentences.append(
            f"Leads that sellers picked become an SQL more often than leads that look the same in "
            f"the log ({picked.log_odds:+.2f} log-odds, {picked.interval.low:+.2f} to "
            f"{picked.interval.high:+.2f}): sellers see what the log does not hold, so the "
            f"timing estimates may be too optimistic. {REMEDY}"
        )
    if lot.interval.high < 0:
        sentences.append(
            f"Leads handed over at random become an SQL less often than the model says "
            f"({lot.log_odds:+.2f} log-odds, {lot.interval.low:+.2f} to {lot.interval.high:+.2f}): "
            "the other handoffs were chosen by what the log does not hold."
        )
    if np.isnan(picked.log_odds) and np.isnan(lot.log_odds):
        sentences.append(
            "It cannot be checked here whether sellers saw more than the log holds: it names too few "
            f"handoffs as picked, and too few were drawn at random. {REMEDY}"
        )
    return sentences
