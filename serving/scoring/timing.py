"""Say when to hand a lead off: the bundle's numbers, put together with verdict, facts and support."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from serving.explain.moment import (
    MomentFacts,
    decide_moment,
    find_stands_until,
    format_support,
    list_drivers,
)
from serving.explain.reasons import Explainer
from serving.scoring.timing_schemas import AdvantageOut, CurveDay, DriverOut, TimingOut
from training.bundle import Curve, ServedTiming, Timing


def _bare(served: ServedTiming, status: str, words: str, alike: int, support: str) -> TimingOut:
    """Shape the answer where nothing is said of the moment."""
    return TimingOut(
        status=status,  # type: ignore[arg-type]
        verdict=None,
        in_days=None,
        words=words,
        rule=served.rule,  # type: ignore[arg-type]
        rule_because=served.because,
        threshold=served.model.threshold,
        unit=served.unit,
        advantage=None,
        p_accept=None,
        p_sql=None,
        value_now=None,
        value_waiting=None,
        stands_until=None,
        stands_longer=False,
        curve=[],
        drivers=[],
        similar_handoffs=alike,
        support=support,
    )


def describe_unknown(served: ServedTiming, why: str) -> TimingOut:
    """Say that too little is known of a lead."""
    return _bare(served, "not_enough_known", why, 0, why)


def advise(
    served: ServedTiming,
    explainer: Explainer,
    rows: NDArray[np.float32],
    as_of: Sequence[datetime],
) -> list[TimingOut]:
    """Say when to hand off leads, each as of its own moment.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float32
        Of leads of which enough is known.
    """
    alike: list[int] = served.neighbours.count_alike(rows).tolist()
    supported = [place for place, count in enumerate(alike) if count >= served.fewest_alike]
    answers = [
        _bare(served, "outside_support", support, count, support)
        for count in alike
        for support in [format_support(count, served.fewest_alike)]
    ]
    if not supported:
        return answers
    own = np.ascontiguousarray(rows[supported])
    advice = served.model.advise(own)
    curve, shares = served.model.curve(own, advice=advice), served.model.reasons(own)[1]
    for row, place in enumerate(supported):
        answers[place] = _shape(
            served,
            explainer,
            _AdviceOfLead(advice, curve, shares, own, row),
            alike[place],
            as_of[place],
        )
    return answers


@dataclass(frozen=True)
class _AdviceOfLead:
    """What the model says of rows, and which of them is meant."""

    timing: Timing
    curve: Curve
    shares: NDArray[np.float64]
    rows: NDArray[np.float32]
    row: int


def _shape(
    served: ServedTiming, explainer: Explainer, advice: _AdviceOfLead, alike: int, as_of: datetime
) -> TimingOut:
    model, timing, row = served.model, advice.timing, advice.row
    values, moments = advice.curve.value[row].tolist(), advice.curve.p_moment[row].tolist()
    facts = MomentFacts(
        by_timing=served.decides_by_timing,
        advantage=float(timing.advantage[row]),
        highest=float(timing.high[row]),
        value_waiting=float(timing.value_waiting[row]),
        p_sql=float(timing.p_sql[row]),
        threshold=model.threshold,
        floor=model.floor,
        sql_worth=model.prices.sql,
        values=values,
        p_moment=moments,
    )
    decision = decide_moment(facts)
    until, longer = find_stands_until(decision, facts, as_of)
    drivers = list_drivers(explainer, advice.rows[row], advice.shares[row])
    chances = advice.curve.p_sql[row].tolist()
    return TimingOut(
        status="advised",
        verdict=decision.verdict,
        in_days=decision.in_days,
        words=decision.because,
        rule=served.rule,  # type: ignore[arg-type]
        rule_because=served.because,
        threshold=model.threshold,
        unit=served.unit,
        advantage=AdvantageOut(
            facts.advantage, float(timing.low[row]), float(timing.high[row]), served.level
        ),
        p_accept=float(timing.p_accept[row]),
        p_sql=facts.p_sql,
        value_now=float(timing.value_now[row]),
        value_waiting=facts.value_waiting,
        stands_until=until,
        stands_longer=longer,
        curve=_shape_curve(as_of, values, chances, moments, facts.by_timing),
        drivers=[DriverOut(d.field, d.label, d.worth, d.words) for d in drivers],
        similar_handoffs=alike,
        support=format_support(alike, served.fewest_alike),
    )


def _shape_curve(
    as_of: datetime,
    values: Sequence[float],
    chances: Sequence[float],
    moments: Sequence[float],
    by_timing: bool,
) -> list[CurveDay]:
    days = _list_days(as_of.date(), len(values))
    return [
        CurveDay(k, days[k], value, chance, moment if by_timing else None)
        for k, (value, chance, moment) in enumerate(zip(values, chances, moments, strict=True))
    ]


@lru_cache(maxsize=8)
def _list_days(today: date, count: int) -> tuple[date, ...]:
    """List the days from today on: nearly all leads are asked about on the same day."""
    return tuple(today + timedelta(days=k) for k in range(count))
