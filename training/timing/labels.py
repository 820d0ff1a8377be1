"""Decision days from history: when a lead could have been handed over, and what followed.

A lead is with marketing from its creation, or its return, until somebody hands it over, it becomes
an SQL by itself, or the log ends. On working days in that time it might have been handed over: those
days are the rows from which timing is learned. Days on which nothing new was known are thinned out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.clock import DAY_US, to_us
from features.compute.offline import Snapshots
from features.contracts.history import History
from features.kernel.layout import creation_times, lead_index
from features.lifecycle.stages import Stage, funnel_position, reaches

GOES_ON, HANDED, RAISED, ALONE, ENDED, CUT = range(6)
"""What followed a decision day: another one; a handoff by rule, seller or lot; a hand raised; an SQL
with no handoff; nothing any more, the lead having been closed; the end of the log."""

HAND_RAISING = frozenset({"demo_request", "contact_request", "quote_request"})
"""Kinds of the taxonomy by which a lead asks to be handed over."""

RAISED_WITHIN_US = DAY_US
"""A handoff this soon after such a request is a raised hand, whatever the log calls it."""

BY_LOT = "exploration"
RAISER_SIGNALS = frozenset({"hand_raiser", "hand-raiser", "hand raiser"})
SQL_OR_LATER = reaches(Stage.SQL)
ACCEPTED_OR_LATER = reaches(Stage.SAL)
ANSWERS = frozenset({Stage.SAL, Stage.RETURNED})

LEAST_ANSWERED, FEWEST_COMPARED, MOST_LATER = 0.95, 20, 2.0
"""Share of ended handoffs with an answer of its own, from which on answers are trusted; and how many
times as long as an acceptance, a day granted, a return may take in the middle."""

QUIET_ROW_DAYS = 7
"""A day in so many counts even if nothing new is known."""

MONDAY_OFFSET = 3
"""1 January 1970 was a Thursday."""


@dataclass(frozen=True)
class Handoffs:
    """Handoffs of the log, by lead and time. Arrays of shape (n_handoffs,); times in microseconds."""

    lead: NDArray[np.int64]
    at: NDArray[np.int64]
    raised: NDArray[np.bool_]
    """Whether the lead had asked for it."""
    propensity: NDArray[np.float64]
    """Chance of a handoff by lot; NaN for the others."""
    answered_at: NDArray[np.int64]
    """When sales first answered, or what ended it otherwise; the end of the log if neither came."""
    is_answered: NDArray[np.bool_]
    """Whether an answer was logged: accepted, or given back. An SQL, or a lead that is lost, with
    neither before it is an end, weeks after some call that nobody wrote down: to take its day for
    that of the answer would predict the outcome by itself."""
    accepted: NDArray[np.bool_]
    sql: NDArray[np.bool_]
    resolved_at: NDArray[np.int64]
    """When it became an SQL, was returned or lost; the end of the log where it is still open."""
    is_resolved: NDArray[np.bool_]
    load: NDArray[np.int64]
    """Handoffs that waited for an answer at that moment."""

    def __len__(self) -> int:
        return len(self.lead)

    @property
    def delay_days(self) -> NDArray[np.float64]:
        """Days until sales answered; NaN where that is not known."""
        days = (self.answered_at - self.at) / DAY_US
        return np.where(self.is_answered, days, np.nan)

    def take(self, chosen: NDArray[np.generic]) -> "Handoffs":
        """Keep some."""
        return Handoffs(*(getattr(self, f.name)[chosen] for f in fields(self)))


@dataclass(frozen=True)
class Decisions:
    """Decision days by lead and time, and what followed each. Arrays of shape (n_rows,)."""

    snapshots: Snapshots
    followed_by: NDArray[np.int8]
    handoff: NDArray[np.int64]
    """Which handoff followed, where one did; else -1."""
    gap_days: NDArray[np.float64]
    """Days to what followed."""

    def __len__(self) -> int:
        return len(self.snapshots)

    @property
    def lead(self) -> NDArray[np.int64]:
        """The lead of each row."""
        return self.snapshots.lead_index

    def take(self, chosen: NDArray[np.bool_]) -> "Decisions":
        """Keep the rows of some leads, all of each: what followed must stay the next row."""
        return Decisions(
            self.snapshots.take(chosen),
            self.followed_by[chosen],
            self.handoff[chosen],
            self.gap_days[chosen],
        )


@dataclass(frozen=True)
class Logged:
    """What a history tells of timing."""

    decisions: Decisions
    handoffs: Handoffs


_Change = tuple[int, int, str, str, float]
"""Lead, when, stage, signal, chance of a handoff by lot."""

_Found = tuple[int, int, bool, float, int, int, int, int, int]
"""A handoff: lead, when, raised, chance of a lot, answered, accepted, SQL, resolved, is_answered."""


@dataclass
class _Cycle:
    """A lead's time with marketing."""

    lead: int
    begins: int
    closed_from: int
    """From here on it was closed, if before the end."""
    ends: int
    followed_by: int
    handoff: int

    def end(self, at: int, followed_by: int, handoff: int = -1) -> None:
        """End it with a handoff or an SQL."""
        self.ends, self.followed_by, self.handoff = at, followed_by, handoff

    def close(self, at: int) -> None:
        """Let it be closed; only a raised hand is to be hoped for."""
        if at < self.closed_from:
            self.closed_from, self.followed_by = at, ENDED


def read_timing(history: History) -> Logged:
    """Read decision days and handoffs out of a history."""
    until = to_us(history.about.observed_until)
    cycles: list[_Cycle] = []
    found: list[_Found] = []
    created = creation_times(history.leads)
    changes_by_lead = {
        lead: list(own) for lead, own in groupby(_list_changes(history), key=itemgetter(0))
    }
    for lead, created_at_us in enumerate(created.tolist()):
        _replay(lead, created_at_us, until, changes_by_lead.get(lead, []), cycles, found)
    columns = np.array(found, np.float64).reshape(-1, 9)
    whole = np.array([[row[0], row[1], *row[4:]] for row in found], np.int64).reshape(-1, 7)
    asked = _find_asked(history, whole[:, 0], whole[:, 1])
    handoffs = Handoffs(
        lead=whole[:, 0],
        at=whole[:, 1],
        raised=(columns[:, 2] > 0) | asked,
        propensity=columns[:, 3],
        answered_at=np.where(whole[:, 2] < 0, until, whole[:, 2]),
        is_answered=whole[:, 6] > 0,
        accepted=whole[:, 3] > 0,
        sql=whole[:, 4] > 0,
        resolved_at=np.where(whole[:, 5] < 0, until, whole[:, 5]),
        is_resolved=whole[:, 5] >= 0,
        load=_count_waiting(whole[:, 1], np.where(whole[:, 2] < 0, until, whole[:, 2])),
    )
    if not trust_answers(handoffs):
        handoffs = replace(handoffs, is_answered=np.zeros(len(handoffs), np.bool_))
    return Logged(_place_rows(history, cycles, handoffs), handoffs)


def trust_answers(handoffs: Handoffs) -> bool:
    """Tell whether the logged answers say how long sales took, rather than what came of it.

    They do not where many handoffs ended without one, nor where leads are given back long after
    others are accepted: a late answer would then predict that there is no SQL.
    """
    known = handoffs.is_resolved
    if not known.any() or handoffs.is_answered[known].mean() < LEAST_ANSWERED:
        return False
    days, answered = handoffs.delay_days, known & handoffs.is_answered
    given_back, kept = days[answered & ~handoffs.accepted], days[answered & handoffs.accepted]
    if min(len(given_back), len(kept)) < FEWEST_COMPARED:
        return True
    return bool(np.median(given_back) <= MOST_LATER * np.median(kept) + 1.0)


def _list_changes(history: History) -> list[_Change]:
    ids = lead_index(history.leads)
    table = history.stages
    rows = zip(
        [ids[name] for name in table.column("lead_id").to_pylist()],
        table.column("at").cast(pa.int64()).to_pylist(),
        table.column("stage").to_pylist(),
        table.column("signal").to_pylist(),
        table.column("propensity").to_pylist()
        if "propensity" in table.column_names
        else [None] * len(table),
        strict=True,
    )
    return sorted(
        (
            (lead, at, stage, signal or "", float("nan") if chance is None else chance)
            for lead, at, stage, signal, chance in rows
        ),
        key=lambda row: (row[0], row[1], funnel_position(row[2])),
    )


def _replay(
    lead: int,
    created_at_us: int,
    until: int,
    changes: list[_Change],
    cycles: list[_Cycle],
    found: list[_Found],
) -> None:
    """Cut one lead's life into its times with marketing and its handoffs."""
    own: _Cycle | None = _Cycle(lead, created_at_us, until, until, CUT, -1)
    for position, (_, at, stage, signal, chance) in enumerate(changes):
        if at >= until:
            break
        ended_by = _end_by(stage, signal)
        if own is not None and ended_by is not None:
            own.end(at, ended_by, len(found) if stage == Stage.MQL else -1)
            cycles.append(own)
            own = None
        elif own is None and stage in {Stage.RETURNED, Stage.LEAD}:
            own = _Cycle(lead, at, until, until, CUT, -1)
        elif own is not None and stage == Stage.LOST:
            own.close(at)
        if stage == Stage.MQL:
            rest = changes[position + 1 :]
            found.append(_follow_handoff(lead, at, signal, chance, rest, until))
    if own is not None:
        cycles.append(own)


def _end_by(stage: str, signal: str) -> int | None:
    """Tell how a stage ends a time with marketing, if it does."""
    if stage == Stage.MQL:
        return RAISED if signal.lower() in RAISER_SIGNALS else HANDED
    return ALONE if stage in ACCEPTED_OR_LATER else None


def _follow_handoff(
    lead: int,
    at: int,
    signal: str,
    chance: float,
    after: list[_Change],
    until: int,
) -> _Found:
    """Tell what became of a handoff: answered, accepted, SQL, resolved; -1 for not yet."""
    answered = resolved = -1
    accepted = sql = is_answer = False
    for _, when, stage, _, _ in after:
        if when >= until or stage == Stage.MQL:
            break
        if answered < 0 and stage != Stage.LEAD:
            answered, is_answer = when, stage in ANSWERS
        accepted |= stage in ACCEPTED_OR_LATER
        if stage in SQL_OR_LATER or stage in {Stage.RETURNED, Stage.LOST}:
            resolved, sql = when, stage in SQL_OR_LATER
            break
    raised = signal.lower() in RAISER_SIGNALS
    lot = chance if signal.lower() == BY_LOT else float("nan")
    # Ticked in one go with the outcome, an acceptance says nothing of when sales answered.
    is_answer &= answered != resolved or not (sql or accepted)
    return lead, at, raised, lot, answered, int(accepted), int(sql), resolved, int(is_answer)


def _find_asked(
    history: History, lead: NDArray[np.int64], at: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which handoffs came soon after the lead had asked for one."""
    table = history.events
    asks = pc.is_in(table.column("kind").cast(pa.string()), pa.array(sorted(HAND_RAISING)))
    table = table.filter(asks)
    if not len(table) or not len(lead):
        return np.zeros(len(lead), np.bool_)
    ids = lead_index(history.leads)
    who = np.array([ids[name] for name in table.column("lead_id").to_pylist()], np.int64)
    known = np.asarray(table.column("known_at").cast(pa.int64()).to_numpy(), np.int64)
    order = np.lexsort((known, who))
    who, known = who[order], known[order]
    base = min(int(known.min()), int(at.min()))
    span = max(int(known.max()), int(at.max())) - base + 1
    keys = who * span + (known - base)
    last = np.searchsorted(keys, lead * span + (at - base), side="right") - 1
    same = (last >= 0) & (who[np.maximum(last, 0)] == lead)
    return np.asarray(same & (at - known[np.maximum(last, 0)] <= RAISED_WITHIN_US))


def _count_waiting(at: NDArray[np.int64], answered: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the handoffs that were made before each one and not answered by then."""
    made = np.searchsorted(np.sort(at), at, side="left")
    done = np.searchsorted(np.sort(answered), at, side="left")
    return np.asarray(np.maximum(made - done, 0), np.int64)


def _place_rows(history: History, cycles: list[_Cycle], handoffs: Handoffs) -> Decisions:
    """Place decision days into each lead's times with marketing, and say what followed each."""
    news = _find_news(history)
    parts = list(_place_parts(cycles, handoffs, news))
    if not parts:
        none = np.zeros(0, np.int64)
        return Decisions(
            Snapshots(none, none), none.astype(np.int8), none, none.astype(np.float64)
        )
    lead, as_of, kind, handoff, gap = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Decisions(Snapshots(lead, as_of), kind.astype(np.int8), handoff, gap)


def _find_news(history: History) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List on which days something new became known of each lead; by lead and day."""
    ids = lead_index(history.leads)
    encoded = (
        history.events.column("lead_id").cast(pa.string()).combine_chunks().dictionary_encode()
    )
    numbers = np.array([ids[name] for name in encoded.dictionary.to_pylist()] or [0], np.int64)
    lead = numbers[np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)]
    known = np.asarray(history.events.column("known_at").cast(pa.int64()).to_numpy(), np.int64)
    pairs = np.unique(np.stack([lead, known // DAY_US], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _place_parts(
    cycles: list[_Cycle],
    handoffs: Handoffs,
    news: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Iterator[tuple[NDArray[np.generic], ...]]:
    """Place the rows of one cycle after the other."""
    who, when = news
    bounds = np.searchsorted(who, np.arange((who.max() if len(who) else 0) + 2))
    for cycle in cycles:
        own = (
            when[bounds[cycle.lead] : bounds[cycle.lead + 1]]
            if cycle.lead + 1 < len(bounds)
            else when[:0]
        )
        day = _choose_days(cycle, own)
        if not len(day):
            continue
        as_of = day * DAY_US
        n = len(day)
        kind = np.full(n, GOES_ON, np.int64)
        handoff = np.full(n, -1, np.int64)
        follows = np.append(as_of[1:], cycle.ends)
        kind[-1] = cycle.followed_by
        if cycle.handoff >= 0:
            handoff[-1] = cycle.handoff
            if handoffs.raised[cycle.handoff]:
                kind[-1] = RAISED
        yield np.full(n, cycle.lead), as_of, kind, handoff, (follows - as_of) / DAY_US


def _choose_days(cycle: _Cycle, news: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose working days of a cycle: the first, the last, those after news, and one a week."""
    first = cycle.begins // DAY_US + 1
    last = min(cycle.ends, cycle.closed_from) // DAY_US
    if last < first:
        return np.zeros(0, np.int64)
    own = news[(news >= first) & (news < last)] + 1
    quiet = np.arange(first, last + 1, QUIET_ROW_DAYS)
    day = np.concatenate([own, quiet, [last]])
    weekday = (day + MONDAY_OFFSET) % 7
    day = day + np.where(weekday >= 5, 7 - weekday, 0)  # news of a weekend are read on Monday
    return np.unique(day[day <= last])
