"""``make bench``: measure the house and print what was found."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.backtests import measure_backtests
from benchmarks.cold_start import measure_cold_start
from benchmarks.commands import measure_commands
from benchmarks.featuretools_job import measure_featuretools
from benchmarks.intake import measure_intake
from benchmarks.job import measure_job
from benchmarks.live import measure_live
from benchmarks.measure import console, print_machine
from benchmarks.one_lead import (
    measure_moment,
    measure_one_lead,
    measure_reasons,
    measure_rows,
)
from benchmarks.over_http import measure_http
from benchmarks.planted_leaks import measure_leaks
from benchmarks.routing import measure_routing
from benchmarks.scale import measure_scale
from benchmarks.schemathesis_run import measure_schemathesis
from benchmarks.scoring import measure_scoring
from benchmarks.timing_proof import measure_proof, measure_warnings
from benchmarks.timing_real import measure_real_timing
from benchmarks.training_run import measure_training
from features.clock import DAY_US
from features.lifecycle.stages import Stage
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from training.bundle import load_bundle
from training.errors import BundleError
from training.labels.conversion import Grid, Outcome

BUNDLES = Path("var/bench/bundles")
LEADS = 20_000


def make_bundle() -> Path:
    """Train LightGBM on a simulated market, unless that was done before."""
    from training.engine import Engine
    from training.estimators.candidates import CANDIDATES, TREES
    from training.run.options import RunOptions
    from training.run.pipeline import train
    from training.run.timing import TimingOptions

    for found in BUNDLES.glob("bench-*"):
        with suppress(BundleError):  # of an older format
            return load_bundle(found).folder
    console.print(f"training on a simulated market of {LEADS:,} leads …")
    market = simulate_history(get_scenario("plain"), n_leads=LEADS, seed=7)
    options = RunOptions(
        Outcome(Stage.SQL, 30 * DAY_US), Grid.weekly(weeks=12), "bench", timing=TimingOptions()
    )
    trees = Engine(candidates={TREES: CANDIDATES[TREES]})  # the dearer case
    run = train(market.history, options, BUNDLES, data_fingerprint="bench", engine=trees)
    return run.bundle.folder


def bench(
    only: Annotated[
        str,
        typer.Option(
            help="One measurement; a name that is none lists them all. Left out: every one."
        ),
    ] = "",
    events: Annotated[int, typer.Option(help="Size of the job's log.")] = 1_000_000,
    scale_events: Annotated[int, typer.Option(help="Size of the streamed history.")] = 50_000_000,
    leads: Annotated[int, typer.Option(help="Size of the market that is trained on.")] = 100_000,
    repeats: Annotated[int, typer.Option(help="Times each engine does the job.")] = 5,
) -> None:
    """Measure: the feature job beside others, streaming, one lead, reasons, the server."""
    print_machine()
    runs = {
        "job": lambda: measure_job(events, repeats),
        "scale": lambda: measure_scale(scale_events),
        "cold": measure_cold_start,
        "commands": measure_commands,
        "rows": lambda: measure_rows(make_bundle()),
        "lead": lambda: measure_one_lead(make_bundle()),
        "moment": lambda: measure_moment(make_bundle()),
        "reasons": lambda: measure_reasons(make_bundle()),
        "http": lambda: measure_http(make_bundle()),
        "live": lambda: measure_live(make_bundle()),
        "intake": lambda: measure_intake(make_bundle()),
        "scoring": lambda: measure_scoring(make_bundle()),
        "schemathesis": measure_schemathesis,
        "featuretools": measure_featuretools,
        "leaks": measure_leaks,
        "backtests": measure_backtests,
        "routing": measure_routing,
        "timing-proof": measure_proof,
        "timing-warnings": measure_warnings,
        "timing-real": measure_real_timing,
        "training": lambda: measure_training(leads),
    }
    if only and only not in runs:
        raise typer.BadParameter(f"Choose one of: {', '.join(runs)}.", param_hint="--only")
    for name, run in runs.items():
        if only in {"", name}:
            run()


if __name__ == "__main__":
    typer.run(bench)
