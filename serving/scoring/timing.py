"""Say when to hand a lead off: the bundle's numbers, put together with verdict, facts and support."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from serving.explain.moment import (
    MomentFacts,
    decide_moment,
    find_stands_until,
    list_drivers,
    say_support,
)
from serving.explain.reasons import Explainer
from serving.scoring.timing_schemas import AdvantageOut, CurveDay, DriverOut, TimingOut
from training.bundle import ServedTiming


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


def say_unknown(served: ServedTiming, why: str) -> TimingOut:
    """Say that too little is known of a lead."""
    return _bare(served, "not_enough_known", why, 0, why)


def advise(
    served: ServedTiming, explainer: Explainer, row: NDArray[np.float32], as_of: datetime
) -> TimingOut:
    """Say when to hand off one lead.

    Parameters
    ----------
    row : ndarray of shape (1, n_features), float32
        Of a lead of which enough is known.
    """
    alike = int(served.neighbours.count_alike(row)[0])
    support = say_support(alike, served.fewest_alike)
    if alike < served.fewest_alike:
        return _bare(served, "outside_support", support, alike, support)
    model = served.model
    told = model.advise(row)
    curve = model.curve(row, told=told)
    shares = model.reasons(row)[1][0]
    values, moments = curve.value[0].tolist(), curve.p_moment[0].tolist()
    facts = MomentFacts(
        by_timing=served.decides_by_timing,
        advantage=float(told.advantage[0]),
        value_waiting=float(told.value_waiting[0]),
        p_sql=float(told.p_sql[0]),
        threshold=model.threshold,
        floor=model.floor,
        sql_worth=model.prices.sql,
        values=values,
        p_moment=moments,
    )
    decision = decide_moment(facts)
    until, longer = find_stands_until(decision, facts, as_of)
    drivers = list_drivers(explainer, row[0].tolist(), shares.tolist())
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
            facts.advantage, float(told.low[0]), float(told.high[0]), served.level
        ),
        p_accept=float(told.p_accept[0]),
        p_sql=facts.p_sql,
        value_now=float(told.value_now[0]),
        value_waiting=facts.value_waiting,
        stands_until=until,
        stands_longer=longer,
        curve=_shape_curve(as_of, values, curve.p_sql[0].tolist(), moments, facts.by_timing),
        drivers=[DriverOut(d.field, d.label, d.worth, d.words) for d in drivers],
        similar_handoffs=alike,
        support=support,
    )


def _shape_curve(
    as_of: datetime,
    values: Sequence[float],
    chances: Sequence[float],
    moments: Sequence[float],
    by_timing: bool,
) -> list[CurveDay]:
    today = as_of.date()
    return [
        CurveDay(k, today + timedelta(days=k), value, chance, moment if by_timing else None)
        for k, (value, chance, moment) in enumerate(zip(values, chances, moments, strict=True))
    ]
