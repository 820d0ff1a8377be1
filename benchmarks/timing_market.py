"""One made-up market of the timing benchmark: policies fitted on its log, valued by its truth."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks.laboratory.policies import (
    Worth,
    best_days,
    first_days,
    value_of_days,
    value_of_rule,
)
from benchmarks.laboratory.structures import draw_structure
from benchmarks.timing_best import Watched, best_points, teach, watch
from benchmarks.timing_run import read_catalog, read_model
from features.clock import to_us
from features.compute.offline import Snapshots, compute_matrix
from features.compute.vocabulary import learn_catalog
from features.simulation.generate import simulate_history
from features.simulation.world import World
from features.sources.history.folder import write_history
from training.evaluation.logistic import fit_logistic
from training.timing.labels import Handoffs, read_timing
from training.timing.models.model import TimingModel, add_columns, fill_delay

TEACHING_LEADS, JUDGING_LEADS, HELD_OUT_LEADS = 12_000, 12_000, 6_000
Hook = Callable[[Path, TimingModel, Watched], dict[str, Any]]
"""Takes a folder with the log in ``history``, the model fitted on it, and the leads that say what
is true; gives more to report of the market."""

HOOKS: dict[str, Hook] = {}
"""More to measure on each market, by the name it is reported under: off-policy estimates, say."""

TIMING, THRESHOLD = "timing policy", "P(SQL) threshold"


def measure_market(seed: int, sizes: list[int], to: Path, *, insight: float = 0.0) -> None:
    """Measure all policies on one market; a file per size of its log."""
    world = draw_structure(seed, insight=insight)
    judged = watch(world, n_leads=JUDGING_LEADS, seed=1000 * seed + 7)
    capacity = float(value_of_rule(judged.market).handoffs.mean())
    yardsticks = [*_measure_yardsticks(world, seed, judged, capacity)]
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=to) as folder:
            report = _measure_log(world, seed, size, judged, capacity, Path(folder))
        report |= {"seed": seed, "size": size, "capacity": capacity}
        report["policies"] = yardsticks + report["policies"]
        (to / f"market-{seed}-{size}.json").write_text(json.dumps(report, indent=1))


def _figures(name: str, worth: Worth, *, capacity: bool) -> dict[str, Any]:
    touches = float(worth.handoffs.mean())
    return {
        "policy": name,
        "capacity": capacity,
        "value": float(worth.value.mean()),
        "error": float(worth.value.std() / np.sqrt(len(worth.value))),
        "handoffs": touches,
        "sqls_per_100": 100.0 * float(worth.sqls.mean()) / touches,
        "rejected": float(worth.rejected.mean()) / touches,
        "median_day": worth.median_day,
    }


def ration(worth: Worth, never: Worth, capacity: float) -> Worth:
    """Turn handoffs away by lot where there are more than sales can take."""
    most, least = worth.handoffs.mean(), never.handoffs.mean()
    if most <= capacity:
        return worth
    return worth.mix(never, float(np.clip((capacity - least) / (most - least), 0.0, 1.0)))


def _measure_yardsticks(
    world: World, seed: int, judged: Watched, capacity: float
) -> Iterator[dict[str, Any]]:
    """Measure what no log decides: the old rule, points, the achievable best, the oracle."""
    market = judged.market
    never = value_of_days(market, np.full(len(market.lead), -1))
    teaching = watch(world, n_leads=TEACHING_LEADS, seed=1000 * seed + 5)
    history = teaching.market.history
    until = to_us(history.about.observed_until)
    catalog = learn_catalog(history.about.taxonomy, [history.leads], until)
    taught = teach(teaching, catalog, teaching.look(catalog))
    advantage = taught.advantage(judged.look(catalog))
    yield _figures("status quo", value_of_rule(market), capacity=False)
    yield _figures("raised hands only", never, capacity=False)
    yield _figures("achievable best", judged.worth(advantage, 0.0), capacity=False)
    oracle = value_of_days(market, best_days(market, market.payoff))
    yield _figures("oracle", oracle, capacity=False)
    for limit in (None, capacity):
        level = best_points(teaching, limit)
        worth = value_of_days(market, first_days(market, market.points, level))
        worth = worth if limit is None else ration(worth, never, capacity)
        yield _figures("points threshold", worth, capacity=limit is not None)
    # Under capacity: the level of the taught advantage at which handoffs fit, on other leads.
    own = taught.advantage(teaching.look(catalog))
    levels = np.quantile(own, np.linspace(0.3, 0.999, 60))
    fits = [x for x in levels if teaching.worth(own, x).handoffs.mean() <= capacity]
    level = max(float(min(fits, default=levels[-1])), 0.0)
    best = ration(judged.worth(advantage, level), never, capacity)
    yield _figures("achievable best", best, capacity=True)


def _measure_log(
    world: World, seed: int, size: int, judged: Watched, capacity: float, folder: Path
) -> dict[str, Any]:
    """Fit on a log of so many leads, and value what was fitted."""
    market = simulate_history(world, n_leads=size, seed=1000 * seed + 1)
    write_history(market.history, folder / "history")
    del market
    command = [sys.executable, "-m", "benchmarks.timing_run", str(folder), str(capacity)]
    subprocess.run(command, check=True)
    rows = judged.look(read_catalog(folder))
    never = value_of_days(judged.market, np.full(len(judged.market.lead), -1))
    policies, paired = [], {}
    for limit in (None, capacity):
        model = read_model(folder, limit)
        advice = model.advise(rows)
        now = np.where(model.is_now(advice), 1.0, 0.0)
        pair = [judged.worth(now, 1.0), judged.worth(advice.p_sql, model.threshold)]
        if limit is not None:
            pair = [ration(worth, never, capacity) for worth in pair]
        for name, worth in zip((TIMING, THRESHOLD), pair, strict=True):
            policies.append(_figures(name, worth, capacity=limit is not None))
        difference = pair[0].value - pair[1].value
        paired["with capacity" if limit else "without"] = {
            "mean": float(difference.mean()),
            "error": float(difference.std() / np.sqrt(len(difference))),
            "timing_decides": model.enough,
            "learned_only": float(
                judged.worth(np.where(model.has_come(advice), 1.0, 0.0), 1.0).value.mean()
            ),
        }
    model = read_model(folder, None)
    more = {name: hook(folder, model, judged) for name, hook in HOOKS.items()}
    return {
        "policies": policies,
        "timing_less_threshold": paired,
        "calibration": _measure_calibration(world, seed, model, folder),
        "threshold": model.threshold,
        "taken": json.loads((folder / "taken.json").read_text(encoding="utf-8")),
        **more,
    }


def _predict_as_made(model: TimingModel, rows: Any, handoffs: Handoffs) -> Any:
    """Predict handoffs as they were made; where the delay is not known, as if answered as promised."""
    delay = fill_delay(handoffs.delay_days, model.prices.promised_delay_days)
    full = add_columns(rows[:, list(model.columns)], handoffs.raised, delay, handoffs.load)
    return np.mean([expit(f.sql.margins(full)) for f in model.families], axis=0)


def _measure_calibration(
    world: World, seed: int, model: TimingModel, folder: Path
) -> dict[str, float]:
    """Foretell handoffs of other leads of the same world, as they were made."""
    history = simulate_history(world, n_leads=HELD_OUT_LEADS, seed=1000 * seed + 3).history
    handoffs = read_timing(history).handoffs
    handoffs = handoffs.take(handoffs.is_resolved)
    made = Snapshots(handoffs.lead, handoffs.at)
    rows = compute_matrix(read_catalog(folder), history, made)
    chance = _predict_as_made(model, rows, handoffs)
    margin = np.log(chance / (1.0 - chance))
    design = np.stack([np.ones_like(margin), margin], axis=1)
    offset, slope = fit_logistic(design, handoffs.sql.astype(np.float64)).coefficients
    return {
        "slope": float(slope),
        "offset": float(offset),
        "predicted": float(chance.mean()),
        "came": float(handoffs.sql.mean()),
        "handoffs": len(handoffs),
    }
