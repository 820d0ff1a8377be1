"""Labels row by row, in plain Python: slow, obvious, and the judge of `training.labels.conversion`."""

from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa

from features.clock import to_us
from features.compute.offline import Snapshots
from features.contracts.history import History
from features.kernel.layout import creation_times, lead_index
from features.lifecycle.reasons import FINDING_OF
from features.lifecycle.replay import StageChange, standing_at
from features.lifecycle.stages import Stage, funnel_position
from training.labels.conversion import REPORTED, Grid, LabelledSnapshots, Outcome


def _finding(history: History, stage: str, reason: str | None):
    meant = history.about.taxonomy.reason_of(reason)
    return FINDING_OF.get(meant) if stage == Stage.RETURNED and meant else None


def _moves_by_lead(history: History, ids: dict[str, int]) -> dict[int, list[StageChange]]:
    table = history.stages.select(["lead_id", "at", "known_at", "stage", "reason"])
    columns = [
        [ids[lead_id] for lead_id in table.column("lead_id").to_pylist()],
        table.column("at").cast(pa.int64()).to_pylist(),
        table.column("known_at").cast(pa.int64()).to_pylist(),
        table.column("stage").to_pylist(),
        table.column("reason").to_pylist(),
    ]
    rows = sorted(
        zip(*columns, strict=True), key=lambda row: (row[0], row[1], funnel_position(row[3]))
    )
    return {
        lead: [
            StageChange(at, known_at, Stage(stage), _finding(history, stage, reason))
            for _, at, known_at, stage, reason in own
        ]
        for lead, own in groupby(rows, key=itemgetter(0))
    }


def _reporting_delay(moves_of: dict[int, list[StageChange]], outcome: Outcome) -> int:
    """Measure how late outcomes become known."""
    every = [m for moves in moves_of.values() for m in moves]
    delays = [m.known_at - m.at for m in every if m.fulfils(outcome.target)]
    return int(np.quantile(delays, REPORTED, method="higher")) if delays else 0


def _why_not(
    moves: list[StageChange], as_of: int, outcome: Outcome, matured_by: int
) -> str | None:
    """Name the reason a moment cannot be labelled, or None."""
    if as_of + outcome.horizon_us > matured_by:
        return "outcome not matured"
    if not standing_at(moves, as_of, outcome.target).is_open:
        gone = outcome.event is Stage.RETURNED
        return "not with sales" if gone else "already converted or closed"
    if any(m.fulfils(outcome.target) and m.at < as_of <= m.known_at for m in moves):
        return "converted already, known only later"
    return None


def label_row_by_row(history: History, outcome: Outcome, grid: Grid) -> LabelledSnapshots:
    """Label one moment after the other."""
    ids = lead_index(history.leads)
    moves_of = _moves_by_lead(history, ids)
    about = history.about
    delay = _reporting_delay(moves_of, outcome)
    matured_by = to_us(about.observed_until) - delay
    start = to_us(about.observed_from) if about.observed_from else None
    leads: list[int] = []
    moments: list[int] = []
    converted: list[int] = []
    known_at: list[int] = []
    left_out: dict[str, int] = {}
    for lead, created in enumerate(creation_times(history.leads).tolist()):
        moves = moves_of.get(lead, [])
        for age in grid.ages_us:
            as_of = created + age
            reason = (
                "created before outcomes were recorded"
                if start is not None and created < start
                else _why_not(moves, as_of, outcome, matured_by)
            )
            if reason:
                left_out[reason] = left_out.get(reason, 0) + 1
                continue
            end = as_of + outcome.horizon_us
            coming = (m for m in moves if m.at >= as_of and m.fulfils(outcome.target))
            reached = next(coming, None)
            in_time = reached is not None and reached.at < end
            leads.append(lead)
            moments.append(as_of)
            converted.append(in_time)
            known_at.append(
                max(end + delay, reached.known_at) if in_time and reached else end + delay
            )
    return LabelledSnapshots(
        Snapshots(np.array(leads, np.int64), np.array(moments, np.int64)),
        np.array(converted, np.int8),
        np.array(known_at, np.int64),
        delay,
        left_out,
    )
