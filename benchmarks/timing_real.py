"""The best moment on real data: when to call a loan applicant after an offer (BPI Challenge 2012).

The case for a call: an offer is out, the customer is silent, a clerk may call today or wait. What
follows is read as a history in which the first offer is the creation, the first finished call after
it the handoff, an approved loan the SQL, a declined or cancelled one the loss.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.backtests import REAL_DATA, find_history
from benchmarks.measure import console, print_table
from features.compute.vocabulary import learn_catalog
from features.contracts.columns import TIME
from features.contracts.history import History
from features.contracts.stages import STAGE_SCHEMA
from features.lifecycle.prices import Prices
from features.lifecycle.stages import Stage
from features.sources.history.folder import read_history
from training.errors import TooFewHandoffsError
from training.run.timing import give_points
from training.timing.dataset import build_timing_dataset
from training.timing.fit import fit_timing
from training.timing.proof.policies import Proof
from training.timing.proof.run import prove_timing

UNIT = "hours of a clerk"
CALL_PRICES = Prices(touch=0.25, work=0.0, sql=10.0)
"""A call takes a quarter of an hour; an approved loan is taken to be worth ten. The log knows
neither: these are assumptions, and only the comparison of rules stands on them."""

CALL = "called after an offer"
Moments = dict[str, datetime]


def read_calls() -> History:
    """Read BPI 2012 as leads with an offer, calls and outcomes."""
    history = read_history(find_history("bpi2012"))
    offered = _find_first(history.events, "occurred_at", "kind", "offer_sent")
    called = _find_first(history.attempts, "at", "result", CALL)
    won = _find_first(history.stages, "at", "stage", Stage.WON)
    lost = _find_first(history.stages, "at", "stage", Stage.LOST)
    rows = []
    for lead, offer in offered.items():
        moves = [(offer, Stage.LEAD, "offer sent")]
        ends = [m for m in (won.get(lead), lost.get(lead)) if m is not None and m > offer]
        end = min(ends, default=None)
        call = called.get(lead)
        if call is not None and call > offer and (end is None or call < end):
            moves.append((call, Stage.MQL, "call"))
        if end is not None:
            moves.append((end, Stage.SQL if end == won.get(lead) else Stage.LOST, "decided"))
        rows += [_stage_row(lead, *move) for move in moves]
    ids = pa.array(list(offered))
    leads = history.leads.filter(pc.is_in(history.leads.column("lead_id"), ids))
    begins = pa.array([offered[lead] for lead in leads.column("lead_id").to_pylist()], TIME)
    for name in ("created_at", "known_at"):
        if name in leads.column_names:
            leads = leads.set_column(leads.column_names.index(name), name, begins)
    events = history.events.filter(pc.is_in(history.events.column("lead_id"), ids))
    attempts = history.attempts.slice(0, 0)
    stages = pa.Table.from_pylist(rows, STAGE_SCHEMA)
    return replace(history, leads=leads, events=events, stages=stages, attempts=attempts)


def _find_first(table: pa.Table, moment: str, column: str, value: str) -> Moments:
    """Find when something first happened to each lead."""
    own = table.filter(pc.equal(table.column(column).cast(pa.string()), value))
    first = own.group_by("lead_id").aggregate([(moment, "min")])
    ids = first.column("lead_id").to_pylist()
    return dict(zip(ids, first.column(f"{moment}_min").to_pylist(), strict=True))


def _stage_row(lead: str, at: datetime, stage: Stage, signal: str) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(STAGE_SCHEMA.names)
    return row | {"lead_id": lead, "at": at, "known_at": at, "stage": str(stage), "signal": signal}


def measure_real_timing() -> None:
    """Print what the log says of calling sooner or later, and the verdict."""
    if not (REAL_DATA / "bpi2012").is_dir():
        console.print("BPI 2012 is not there; see docs/how-to/get-the-public-data.md.")
        return
    history = read_calls()
    catalog = learn_catalog(history.about.taxonomy, [history.leads], 2**62)
    dataset = build_timing_dataset(history, catalog)
    made = dataset.handoffs
    console.print(
        f"BPI 2012: {len(history.leads):,} applications with an offer; {len(made):,} called after "
        f"it, {int(made.is_resolved.sum()):,} of those decided, {int(made.sql.sum()):,} approved; "
        f"{len(dataset.decisions):,} days on which a call might have been made."
    )
    try:
        proof = prove_timing(
            history,
            dataset,
            partial(fit_timing, prices=CALL_PRICES, divisions=1),
            CALL_PRICES,
            give_points(catalog, dataset.rows),
            unit=UNIT,
        )
    except TooFewHandoffsError as refusal:
        console.print(f"Refused: {refusal}")
        return
    print_proof(proof, "First call after an offer, BPI 2012", UNIT)


def print_proof(proof: Proof, title: str, unit: str) -> None:
    """Print a proof as a table and its verdict."""
    rows = []
    for row in proof.rows:
        own, other, over = row.value.interval, row.weighted.interval, row.overlap
        rows.append(
            (
                row.name,
                f"{row.value.value:.3f} [{own.low:.3f}, {own.high:.3f}]",
                f"{row.weighted.value:.3f} [{other.low:.3f}, {other.high:.3f}]",
                f"{over.recommended:,}",
                f"{over.share:.0%}",
                f"{over.agreeing:,} as {over.effective:.0f}",
                f"{over.largest_share:.0%}",
                f"{over.staying:,.0f}",
            )
        )
    headings = [
        "rule",
        "doubly robust",
        "weighted",
        "hands over",
        "overlap",
        "agreeing",
        "largest",
    ]
    print_table(f"{title}: {unit} per lead", [*headings, "staying"], rows)
    for name, gain in proof.gains.items():
        ends = gain.interval
        console.print(
            f"gain of timing over {name}: {gain.value:+.3f} [{ends.low:+.3f}, {ends.high:+.3f}]",
        )
    slope, low, high = proof.calibration
    console.print(
        f"calibration slope of P(SQL | now) on held-out handoffs: {slope:.2f} [{low:.2f}, {high:.2f}]"
    )
    console.print(proof.served.because)
    for warning in proof.warnings:
        console.print(f"! {warning}")
