"""A run's part on the best moment: learn it, put it to the proof, say on the card what came of it."""

import tomllib
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from features.catalog.manifest import Catalog
from features.contracts.history import History
from features.lifecycle.prices import Prices
from features.toml import FILE, parse_toml
from training.card.report import to_plain
from training.card.timing_plots import write_timing_plots
from training.engine import IN_PROCESS, Engine
from training.errors import TimingPricesError, TooFewHandoffsError
from training.estimators.points import build_point_terms, choose_points
from training.evaluation.resampling import Floats
from training.models.linear import LinearModel
from training.timing.dataset import TimingDataset, build_timing_dataset
from training.timing.fit import decide_enough, fit_timing
from training.timing.models.model import Rows, TimingModel
from training.timing.models.served import BY_THRESHOLD, ServedTiming
from training.timing.models.support import build_neighbours
from training.timing.proof.policies import Proof
from training.timing.proof.run import UNIT, Progress, prove_timing

STATION = "the best moment to hand off"


@dataclass(frozen=True)
class TimingOptions:
    """What timing is learned with."""

    prices: Prices = field(default_factory=Prices)
    unit: str = UNIT
    """Of the prices, in words."""
    capacity: float | None = None
    """Handoffs that sales can take, per lead that comes in; None for as many as come."""


@dataclass(frozen=True)
class TimingRun:
    """What was learned of the best moment."""

    served: ServedTiming | None
    """None where there is too little for even a threshold."""
    proof: Proof | None
    """None where there is too little to learn timing from."""
    because: str
    model: TimingModel | None = None

    def describe(self) -> dict[str, Any]:
        """Describe it for the card, as plain values."""
        card: dict[str, Any] = {"because": self.because}
        if self.served is not None:
            model = self.served.model
            card |= {
                "rule": self.served.rule,
                "unit": self.served.unit,
                "threshold": model.threshold,
                "prices": asdict(model.prices),
                "shadow_price": model.shadow_price,
                "similar_handoffs_needed": self.served.fewest_alike,
            }
        if self.proof is not None:
            card["proof"] = describe_proof(self.proof)
        plain: dict[str, Any] = to_plain(card)
        return plain

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warn of what the card must say."""
        return () if self.proof is None else self.proof.warnings


class _PricesFile(msgspec.Struct, forbid_unknown_fields=True):
    """The prices of a TOML file, or of its section ``timing``."""

    touch: float = Prices.touch
    work: float = Prices.work
    sql: float = Prices.sql
    discount_by_day: float = Prices.discount_by_day
    promised_delay_days: float = Prices.promised_delay_days
    unit: str = UNIT
    capacity: float | None = None


def read_timing_options(text: str) -> TimingOptions:
    """Read prices and capacity from TOML, from its section ``timing`` where it has one.

    Raises
    ------
    TimingPricesError
        If it cannot be read, or a price makes no sense.
    """
    try:
        read = parse_toml(text, FILE)
        file = msgspec.convert(read.get("timing", read), _PricesFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise TimingPricesError(str(problem)) from problem
    if min(file.touch, file.work, file.promised_delay_days) < 0 or file.sql <= 0:
        raise TimingPricesError("a cost or a delay is negative, or an SQL is worth nothing")
    if not 0.9 <= file.discount_by_day <= 1.0:
        raise TimingPricesError("discount_by_day lies outside 0.9 to 1")
    prices = Prices(
        file.touch, file.work, file.sql, file.discount_by_day, file.promised_delay_days
    )
    return TimingOptions(prices, file.unit, file.capacity)


def record_timing(options: TimingOptions | None) -> dict[str, Any] | None:
    """Record options so that a run can be repeated."""
    if options is None:
        return None
    return {**asdict(options.prices), "unit": options.unit, "capacity": options.capacity}


def recall_timing(recorded: dict[str, Any] | None) -> TimingOptions | None:
    """Read recorded options back."""
    if recorded is None:
        return None
    options_ = dict(recorded)
    unit, capacity = options_.pop("unit"), options_.pop("capacity")
    return TimingOptions(Prices(**options_), unit, capacity)


def learn_timing(
    history: History,
    catalog: Catalog,
    options: TimingOptions,
    *,
    points: str = "",
    engine: Engine = IN_PROCESS,
    seed: int = 7,
    progress: Progress = lambda _station, _share: None,
) -> TimingRun:
    """Learn the best moment from a history, prove it or refuse it, and say which rule is served.

    Parameters
    ----------
    catalog
        Of the bundle, so that one row serves score and moment.
    points
        The points table to beat, as TOML; empty for the usual one.
    """
    progress(STATION, 0.0)
    dataset = build_timing_dataset(history, catalog, engine=engine, seed=seed)
    fit = partial(fit_timing, prices=options.prices, capacity=options.capacity, seed=seed)
    try:
        model = fit(dataset)
    except TooFewHandoffsError as refusal:
        return TimingRun(None, None, str(refusal))
    progress(STATION, 0.5)
    if not decide_enough(dataset.handoffs)[0]:
        served = _serve(dataset, model, BY_THRESHOLD, model.because, options, seed)
        return TimingRun(served, None, model.because, model)
    proof = prove_timing(
        history,
        dataset,
        lambda part: fit(part, divisions=1),
        options.prices,
        give_points(catalog, dataset.rows, points),
        unit=options.unit,
        seed=seed,
    )
    progress(STATION, 1.0)
    rule, because = proof.served.rule, proof.served.because
    if (
        not model.enough
    ):  # the fit itself, judged half by half, found the threshold the better guide
        rule, because = BY_THRESHOLD, f"{model.because} {because}".strip()
    served = _serve(dataset, model, rule, because, options, seed)
    return TimingRun(served, proof, because, model)


def give_points(catalog: Catalog, rows: Rows, text: str = "") -> Floats:
    """Give each row the points of a table, in log-odds."""
    table = choose_points(text)
    given = LinearModel(0.0, rows.shape[1], build_point_terms(catalog.features, table))
    return np.asarray(given.contributions(rows).sum(axis=1))


def _serve(
    dataset: TimingDataset,
    model: TimingModel,
    rule: str,
    because: str,
    options: TimingOptions,
    seed: int,
) -> ServedTiming:
    categories = np.array([bool(f.categories) for f in dataset.catalog.features])
    known = dataset.handoff_rows[dataset.handoffs.is_resolved]
    neighbours = build_neighbours(model, dataset.rows, known, categories, seed)
    return ServedTiming(model, rule, because, options.unit, neighbours)


def describe_proof(proof: Proof) -> dict[str, Any]:
    """Describe a proof for the card."""
    return {
        "leads": proof.leads,
        "handoffs": proof.handoffs,
        "horizon_days": proof.horizon_days,
        "policies": [
            {
                "name": row.name,
                "value": row.value.value,
                "low": row.value.interval.low,
                "high": row.value.interval.high,
                "weighted": row.weighted.value,
                "weighted_low": row.weighted.interval.low,
                "weighted_high": row.weighted.interval.high,
                "overlap": asdict(row.overlap),
            }
            for row in proof.rows
        ],
        "gains": [
            {"over": name, "value": g.value, "low": g.interval.low, "high": g.interval.high}
            for name, g in proof.gains.items()
        ],
        "served": asdict(proof.served),
        "confounding_checks": [asdict(one) for one in proof.confounding_checks],
        "calibration_slope": dict(zip(("value", "low", "high"), proof.calibration, strict=True)),
        "warnings": list(proof.warnings),
    }


def write_timing(folder: Path, run: TimingRun, profile: Rows) -> tuple[str, ...]:
    """Write the pictures of the best moment; return their names.

    Parameters
    ----------
    profile : ndarray of shape (n_rows, n_features), float32
        Rows whose curves are drawn.
    """
    if run.proof is None or run.served is None:
        return ()
    return write_timing_plots(folder, run.proof, run.served.model.curve(profile), run.served.unit)
