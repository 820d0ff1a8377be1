"""The whole replay in one structure: draft beside today, load, curve of cuts, recommendation. Pure."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from features.clock import DAY_US, from_us
from serving.handoff.intervals import Rate
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.replay.judge import (
    Compared,
    Everyone,
    Figures,
    Period,
    compare,
    count_by_week,
    find_everyone,
    judge,
)
from serving.handoff.replay.load import ReplayLoad, find_load
from serving.handoff.replay.simulate import simulate
from serving.handoff.replay.snapshots import ReplayData, ReplaySnapshots

CUTS = tuple(float(cut) for cut in range(100))


@dataclass(frozen=True)
class Cut:
    """What one threshold achieves."""

    score_from: float
    figures: Figures
    used: float
    """Handoffs per week over capacity."""


@dataclass(frozen=True)
class Advice:
    """Which cut is recommended, and why."""

    score_from: float | None
    because: str


@dataclass(frozen=True)
class Week:
    """Handoffs of one week."""

    begins: str
    draft: int
    today: int


@dataclass(frozen=True)
class ReplayReport:
    """A draft of the playbook on recorded history."""

    begin: str
    end: str
    weeks_long: float
    snapshots_at: str
    model: str
    playbook: str
    """Fingerprint of the draft."""
    horizon_days: float
    leads: int
    """Open leads that were looked at."""
    base: Rate
    draft: Figures
    today: Figures
    """What the company handed over itself, of the same leads."""
    compared: Compared
    weeks: tuple[Week, ...]
    load: ReplayLoad
    curve: tuple[Cut, ...]
    advice: Advice
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Shape it for JSON; an infinite load, which JSON cannot say, is null."""
        plain: dict[str, Any] = _finite(asdict(self))
        return plain


def _finite(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {name: _finite(value) for name, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_finite(value) for value in plain]
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def build_replay(
    seen: ReplayData,
    playbook: Playbook,
    period: Period,
    *,
    capacity: float,
    snapshots_at: str,
    model: str,
    notes: Sequence[str] = (),
) -> ReplayReport:
    """Replay a draft and judge it.

    Parameters
    ----------
    seen
        The looks, and what the company handed over.
    playbook
        The draft.
    period
        The days, and until when outcomes are known.
    capacity
        Handoffs a week that sales can take.
    snapshots_at, model
        Words for when leads were looked at, and for the model that scored them.
    notes
        What a reader must know besides.
    """
    everyone = find_everyone(seen.snapshots, period)
    taken = simulate(seen.snapshots, playbook)
    draft = judge(taken.at, taken.asked, everyone)
    logged = seen.today.take(seen.today.as_of >= period.begin_us)
    today = judge(logged, np.zeros(len(logged), np.bool_), everyone)
    by_week = list(count_by_week(taken.at, period))
    curve = tuple(_find_cut(seen.snapshots, playbook, cut, everyone, capacity) for cut in CUTS)
    compared = compare(taken.at, seen.today, period)
    return ReplayReport(
        begin=from_us(period.begin_us).isoformat(),
        end=from_us(period.end_us).isoformat(),
        weeks_long=period.weeks,
        snapshots_at=snapshots_at,
        model=model,
        playbook=playbook.fingerprint,
        horizon_days=period.horizon_us / DAY_US,
        leads=len(everyone.first),
        base=everyone.base,
        draft=draft,
        today=today,
        compared=compared,
        weeks=_list_weeks(by_week, count_by_week(logged, period), period),
        load=find_load(taken, seen, period, playbook, capacity),
        curve=curve,
        advice=advise(curve, capacity, find_floor(playbook)),
        notes=(*notes, *_find_notes(seen, draft, today, compared)),
    )


def _find_cut(
    snapshots: ReplaySnapshots, playbook: Playbook, cut: float, everyone: Everyone, capacity: float
) -> Cut:
    taken = simulate(snapshots, playbook, cut)
    figures = judge(taken.at, taken.asked, everyone)
    used = figures.per_week / capacity if capacity else math.inf
    return Cut(cut, figures, used)


def _list_weeks(draft: Sequence[int], today: Sequence[int], period: Period) -> tuple[Week, ...]:
    begin = from_us(period.begin_us)
    return tuple(
        Week(f"{begin + timedelta(weeks=number):%Y-%m-%d}", own, logged)
        for number, (own, logged) in enumerate(zip(draft, today, strict=True))
    )


def find_floor(playbook: Playbook) -> float | None:
    """Find the least share of SQLs that both teams agreed on as a goal; None if on none."""
    for target in playbook.goals.targets:
        if target.measure == "sql_share":
            return target.at_least
    return None


def advise(curve: Sequence[Cut], capacity: float, floor: float | None) -> Advice:
    """Recommend the lowest cut that sales can take and that keeps to the agreed share of SQLs.

    Handing over more finds more of the leads that become SQLs, so what limits is capacity, and the
    quality both teams agreed on.
    """
    fitting = [cut for cut in curve if cut.used <= 1]
    if floor is None and len(fitting) == len(curve):
        return Advice(
            None,
            f"None: sales can take every lead ({curve[0].figures.per_week:.1f} of {capacity:g} a "
            "week). What limits is then quality: agree on a least share of SQLs (a target sql_share "
            "in [goals]), or say with --capacity what sales can really take.",
        )
    if not fitting:
        least = min(curve, key=lambda cut: cut.used)
        return Advice(
            None,
            f"Even from {least.score_from:g} points on, {least.figures.per_week:.1f} handoffs a "
            f"week are more than the {capacity:g} that sales can take: leads that ask for sales "
            "themselves fill it.",
        )
    good = [cut for cut in fitting if floor is None or (cut.figures.sql.share or 0.0) >= floor]
    if not good:
        return Advice(
            None,
            f"No cut that sales can take reaches the agreed share of SQLs, {100 * (floor or 0):.0f} "
            "%.",
        )
    chosen = min(good, key=lambda cut: cut.score_from)
    why = f"{chosen.figures.per_week:.1f} handoffs a week of {capacity:g} that sales can take"
    quality = f"{chosen.figures.sql.words} become SQL, recall {chosen.figures.recall.words}"
    return Advice(chosen.score_from, f"From {chosen.score_from:g} points on: {why}; {quality}.")


def _find_notes(seen: ReplayData, draft: Figures, today: Figures, compared: Compared) -> list[str]:
    notes = [
        "Draws at random, decisions by hand and the timing model are left out.",
    ]
    if not today.handoffs:
        notes.append("The history knows no handoffs (moves to MQL) of these leads in the period.")
    if compared.later:
        notes.append(
            f"{compared.later:,} leads the draft hands over later than the company did: by then the "
            "score may have known of that."
        )
    if today.handoffs and compared.gained.leads:
        notes.append(
            f"{compared.gained.leads:,} leads are handed over by the draft alone: nobody worked "
            "them then, so the precision of the draft is a lower bound."
        )
    if draft.matured < draft.handoffs:
        left = draft.handoffs - draft.matured
        notes.append(f"{left:,} handoffs of the draft are too young to be judged.")
    if np.isnan(seen.snapshots.points).all():
        notes.append("Not enough was known of any lead to score it.")
    if seen.snapshots.fails.all():
        notes.append(
            "No lead ever meets the MQL definition: nobody is handed over by score. Look at "
            '[stages.mql] and at the kinds of events of this history, or set triggers.mql = "ignored".'
        )
    return notes
