"""Every look of a replay as columns: what the draft would have known, and what came of the lead."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.clock import to_us
from features.compute.part import Job, Part, compute_part
from features.contracts.records import LeadRecord
from features.lifecycle.stages import Stage, funnel_position
from features.sources.history.folder import HistoryFolder
from features.taxonomy import Taxonomy
from serving.handoff.decision.activity import Activity, fold_name
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.replay.lead_facts import fails_mql, list_rows, read_records
from serving.handoff.replay.lead_timeline import LeadTimeline, RecordedMove
from training.bundle import HIGHEST_POINTS, LOWEST_POINTS, Bundle

EVENT_COLUMNS = ("lead_id", "occurred_at", "known_at", "kind", "name")


@dataclass(frozen=True)
class ReplaySnapshots:
    """Looks at open leads, by lead, then time. Times are microseconds since the epoch."""

    lead: NDArray[np.int64]
    as_of: NDArray[np.int64]
    points: NDArray[np.float64]
    """NaN where not enough was known."""
    asked: NDArray[np.bool_]
    """Whether it had asked for sales lately."""
    resting: NDArray[np.bool_]
    fails: NDArray[np.bool_]
    """Whether the agreed MQL definition keeps it back."""
    next_sql: NDArray[np.int64]
    next_won: NDArray[np.int64]
    next_end: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lead)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "ReplaySnapshots":
        """Keep some of them."""
        return ReplaySnapshots(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @staticmethod
    def join(parts: Iterable["ReplaySnapshots"]) -> "ReplaySnapshots":
        """Put parts one after the other."""
        listed = list(parts)
        return ReplaySnapshots(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in listed])
                for f in fields(ReplaySnapshots)
            }
        )


@dataclass(frozen=True)
class ReplayData:
    """What a replay goes through."""

    snapshots: ReplaySnapshots
    today: ReplaySnapshots
    """What the company handed over itself, of the same leads, until the end of the period."""
    created_us: NDArray[np.int64]
    """When each lead was created, by its number."""
    records: Mapping[int, LeadRecord]
    """Who the leads are that were looked at, by number; without their events."""


def gather(
    job: Job,
    bundle: Bundle,
    playbook: Playbook,
    begin_us: int,
    end_us: int,
    progress: Callable[[int], None] = lambda _: None,
) -> ReplayData:
    """Look at every lead of a history, one partition after the other.

    Parameters
    ----------
    job
        History, catalogue of the bundle, and when leads are looked at.
    bundle
        The model.
    playbook
        The draft: what counts as asking for sales, and how long a returned lead rests.
    begin_us, end_us
        The period ``[begin, end)``.
    progress
        Called with the number of the partition that is done.
    """
    parts: list[ReplaySnapshots] = []
    todays: list[ReplaySnapshots] = []
    created: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    kept: dict[int, LeadRecord] = {}
    first = 0
    for position in range(job.folder.n_partitions):
        part = compute_part(job.of_partition(position), position)
        opened = _open_partition(job.folder, position, part.lead_ids.to_pylist(), playbook)
        snapshots = _build_part(part, bundle, playbook, opened, begin_us, end_us)
        seen = np.unique(snapshots.lead).tolist()
        parts.append(_number(snapshots, first))
        todays.append(_number(_read_today(opened, seen, end_us), first))
        created.append(opened.created_us)
        kept.update({first + lead: opened.record_of(lead)._replace(events=()) for lead in seen})
        first += len(opened.names)
        progress(position)
    return ReplayData(
        ReplaySnapshots.join(parts), ReplaySnapshots.join(todays), np.concatenate(created), kept
    )


@dataclass(frozen=True)
class _Opened:
    """A partition's leads, in the order of their numbers."""

    names: list[str]
    timelines: list[LeadTimeline]
    records: Mapping[str, LeadRecord]
    created_us: NDArray[np.int64]

    def record_of(self, lead: int) -> LeadRecord:
        return self.records[self.names[lead]]


def _open_partition(
    folder: HistoryFolder, position: int, names: list[str], playbook: Playbook
) -> _Opened:
    leads, events = folder.read_leads(position), folder.read_events(position, EVENT_COLUMNS)
    stages = folder.read_partition(position).stages
    timelines_by_lead = _read_timelines(events, stages, playbook, folder.about.taxonomy)
    timelines = [
        timelines_by_lead.get(name) or _build_timeline(playbook, (), (), ()) for name in names
    ]
    created = dict(list_rows(leads, ("lead_id", "created_at")))
    return _Opened(
        names,
        timelines,
        read_records(leads, events, stages, names),
        np.array([to_us(created[name]) for name in names], np.int64),
    )


def _number(snapshots: ReplaySnapshots, first: int) -> ReplaySnapshots:
    columns = {f.name: getattr(snapshots, f.name) for f in fields(snapshots)}
    return ReplaySnapshots(**{**columns, "lead": snapshots.lead + first})


def _build_part(
    part: Part,
    bundle: Bundle,
    playbook: Playbook,
    opened: _Opened,
    begin_us: int,
    end_us: int,
) -> ReplaySnapshots:
    """Tell the looks of a grid, and one right after each request for sales: that is not waited for."""
    rows = [
        (int(lead), int(as_of), float(points))
        for lead, as_of, points in zip(
            part.snapshots.lead_index,
            part.snapshots.as_of,
            score_points(bundle, part.rows),
            strict=True,
        )
    ]
    rows += [
        (lead, asked + 1, np.nan)
        for lead, timeline in enumerate(opened.timelines)
        for asked in timeline.asked_us
        if begin_us <= asked + 1 < end_us
    ]
    within = timedelta(days=playbook.triggers.hand_raiser_days)

    def fails(lead: int, as_of: int, points: float) -> bool:
        known = None if np.isnan(points) else points
        return fails_mql(playbook, opened.record_of(lead), as_of, known)

    return build_snapshots(sorted(rows), opened.timelines, within, fails)


def score_points(bundle: Bundle, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Score rows; NaN where not enough is known."""
    known = np.array([why is None for why in bundle.find_unknown(rows)], np.bool_)
    points = np.full(len(rows), np.nan)
    if known.any():
        scored = bundle.score(rows[known]).points
        points[known] = np.clip(scored, LOWEST_POINTS, HIGHEST_POINTS)
    return points


def build_snapshots(
    rows: list[tuple[int, int, float]],
    timelines: list[LeadTimeline],
    within: timedelta,
    fails: Callable[[int, int, float], bool],
) -> ReplaySnapshots:
    """Tell, for each look at an open lead, what stood then and what came after.

    Parameters
    ----------
    rows
        Number of the lead, moment, points (NaN: none), in order.
    timelines
        By number of the lead.
    within
        For how long a request for sales counts.
    fails
        Tells whether the agreed definition keeps the lead of a look back.
    """
    kept = [row for row in rows if timelines[row[0]].is_open(row[1])]

    def column(read: Callable[[LeadTimeline, int], int]) -> list[int]:
        return [read(timelines[lead], as_of) for lead, as_of, _ in kept]

    return ReplaySnapshots(
        lead=np.array([row[0] for row in kept], np.int64),
        as_of=np.array([row[1] for row in kept], np.int64),
        points=np.array([row[2] for row in kept], np.float64),
        asked=np.array(column(lambda s, t: s.has_asked(t, within)), np.bool_),
        resting=np.array(column(LeadTimeline.is_resting), np.bool_),
        fails=np.array([fails(*row) for row in kept], np.bool_),
        next_sql=np.array(column(LeadTimeline.next_sql), np.int64),
        next_won=np.array(column(LeadTimeline.next_won), np.int64),
        next_end=np.array(column(LeadTimeline.next_end), np.int64),
    )


def _read_today(opened: _Opened, leads: list[int], end_us: int) -> ReplaySnapshots:
    """Tell the company's own handoffs of the leads that were looked at, also those from before."""
    rows = [
        (lead, handed, np.nan)
        for lead in leads
        for handed in opened.timelines[lead].handed_us
        if handed < end_us
    ]
    return build_snapshots(rows, opened.timelines, timedelta(), lambda *_: False)


def _read_timelines(
    events: pa.Table, stages: pa.Table, playbook: Playbook, taxonomy: Taxonomy
) -> dict[str, LeadTimeline]:
    """Read the stories of a partition's leads that moved or asked for sales."""
    moves = _read_moves(stages, taxonomy)
    asked = _read_asked(events, playbook)
    ended = {
        lead
        for lead, own in moves.items()
        if any(move.stage in {Stage.RETURNED, Stage.LOST} for move in own)
    }
    activities = _read_activities(events, ended, taxonomy)
    return {
        lead: _build_timeline(
            playbook, moves.get(lead, ()), asked.get(lead, ()), activities.get(lead, ())
        )
        for lead in moves.keys() | asked.keys()
    }


def _build_timeline(
    playbook: Playbook,
    moves: Iterable[RecordedMove],
    asked: Iterable[int],
    activities: Iterable[Activity],
) -> LeadTimeline:
    in_order = sorted(moves, key=lambda m: (m.at_us, funnel_position(m.stage)))
    return LeadTimeline(tuple(in_order), tuple(sorted(asked)), tuple(activities), playbook.returns)


def _read_moves(stages: pa.Table, taxonomy: Taxonomy) -> dict[str, list[RecordedMove]]:
    by_lead: dict[str, list[RecordedMove]] = defaultdict(list)
    for lead, at, known_at, stage, reason in list_rows(
        stages, ("lead_id", "at", "known_at", "stage", "reason")
    ):
        meant = taxonomy.reason_of(reason)
        by_lead[lead].append(RecordedMove(to_us(at), to_us(known_at), Stage(stage), meant))
    return by_lead


def _read_asked(events: pa.Table, playbook: Playbook) -> Mapping[str, list[int]]:
    """Read when each lead asked for sales: by kind of event, or by name of a form."""
    triggers = playbook.triggers
    wanted = {fold_name(name) for name in triggers.hand_raiser_names}
    names = [
        name
        for name in pc.unique(events.column("name").cast(pa.string())).to_pylist()
        if name is not None and fold_name(name) in wanted
    ]
    by_kind = _is_in(events.column("kind"), list(triggers.hand_raiser_kinds))
    chosen = events.filter(pc.or_(by_kind, _is_in(events.column("name"), names)))
    asked: dict[str, list[int]] = defaultdict(list)
    for lead, occurred_at, known_at in list_rows(chosen, ("lead_id", "occurred_at", "known_at")):
        asked[lead].append(max(to_us(occurred_at), to_us(known_at)))
    return asked


def _read_activities(
    events: pa.Table, leads: set[str], taxonomy: Taxonomy
) -> Mapping[str, list[Activity]]:
    """Read what leads did that came back: it may wake them."""
    engaging = list(taxonomy.kinds_in("engagement"))
    own = _is_in(events.column("lead_id"), list(leads))
    chosen = events.filter(pc.and_(own, _is_in(events.column("kind"), engaging)))
    by_lead: dict[str, list[Activity]] = defaultdict(list)
    columns = ("lead_id", "occurred_at", "known_at", "kind")
    for lead, occurred_at, known_at, kind in list_rows(chosen, columns):
        by_lead[lead].append(Activity(max(occurred_at, known_at), kind))
    return by_lead


def _is_in(column: pa.ChunkedArray, values: list[str]) -> pa.ChunkedArray:
    return pc.is_in(column.cast(pa.string()), value_set=pa.array(values, pa.string()))
