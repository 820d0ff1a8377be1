"""The feature job in DuckDB: a range join and one GROUP BY.

Order-dependent facts (first, latest, sessions, days) become numbers before the join. Three counts
of 17 bits share one exact sum of doubles, which is half again as fast as forty FILTER counts.
"""

import duckdb
import numpy as np

from benchmarks.job_log import N_CHANNELS, N_FAMILIES, JobLog

BITS = 17
SHIFT = 16
DAY = 86_400_000_000

NUMBERED = f"""
    SELECT *, sum(new_visit) OVER steps AS visit, sum(new_day) OVER steps AS day
    FROM (
        SELECT *,
            CASE WHEN gap IS NULL OR gap > 1800000000 THEN 1 ELSE 0 END AS new_visit,
            CASE WHEN gap IS NULL OR at_us // {DAY} <> (at_us - gap) // {DAY} THEN 1 ELSE 0 END AS new_day
        FROM (
            SELECT lead, epoch_us(ts) AS at_us, "type" % {N_FAMILIES} AS family, channel, value,
                at_us - lag(at_us) OVER told AS gap, row_number() OVER told AS rank
            FROM events
            WINDOW told AS (PARTITION BY lead ORDER BY ts, "type", channel NULLS FIRST,
                            value NULLS LAST)
        )
    )
    WINDOW steps AS (PARTITION BY lead ORDER BY rank ROWS UNBOUNDED PRECEDING)
"""


def _inside(days: int) -> str:
    return f"(as_of - at_us <= {days * DAY})"


def _aggregates() -> list[str]:
    near = " + ".join(
        f"CASE WHEN {_inside(d)} THEN {float(1 << (i * BITS))!r} ELSE 0 END"
        for i, d in enumerate((1, 7, 30))
    )
    far = f"{float(1 << BITS)!r} + CASE WHEN {_inside(90)} THEN 1.0 ELSE 0 END"
    found = []
    for f in range(N_FAMILIES):
        found += [
            f"sum(CASE WHEN family = {f} THEN {near} ELSE 0.0 END)::BIGINT AS near{f}",
            f"sum(CASE WHEN family = {f} THEN {far} ELSE 0.0 END)::BIGINT AS far{f}",
            f"max(CASE WHEN family = {f} THEN at_us END) AS last{f}",
        ]
    for name, d in (("day", 7), ("day", 30), ("visit", 30)):
        some = f"CASE WHEN {_inside(d)} THEN {name} END"
        found.append(f"max({some}) - min({some}) + 1 AS {name}s_{d}")
    found.append("max(visit) - min(visit) + 1 AS visits")
    bit = "CASE WHEN channel IS NULL THEN 0 ELSE 1::BIGINT << channel END"
    found += [
        f"bit_or(CASE WHEN {_inside(30)} THEN {bit} ELSE 0 END) AS channels30",
        f"bit_or({bit}) AS channels",
        "max(at_us) AS last",
        "count(*) AS n",
    ]
    for h in (3, 14):
        for q in range(4):
            faded = f"exp({float(-np.log(2) / (h * DAY))!r} * (as_of - at_us))"
            found.append(
                f"sum(CASE WHEN family // 2 = {q} THEN {faded} ELSE 0 END) AS faded{q}_{h}"
            )
    found += ["avg(gap_days) AS gap_mean", "stddev_samp(gap_days) AS gap_std"]
    found += [f"sum(CASE WHEN hour // 6 = {q} THEN 1 ELSE 0 END) AS q{q}" for q in range(4)]
    found += [
        "sum(CASE WHEN weekday >= 5 THEN 1 ELSE 0 END) AS weekend",
        "sum(CASE WHEN weekday < 5 AND hour >= 9 AND hour < 17 THEN 1 ELSE 0 END) AS business",
        f"min(CASE WHEN channel IS NOT NULL THEN rank * {SHIFT}::BIGINT + channel END) AS first",
        f"max(CASE WHEN channel IS NOT NULL THEN rank * {SHIFT}::BIGINT + channel END) AS latest",
        f"sum(CASE WHEN {_inside(30)} THEN value END) AS sum30, sum(value) AS sum",
        f"max(CASE WHEN {_inside(30)} THEN value END) AS max30, max(value) AS max",
    ]
    return found


def _columns() -> list[str]:
    def count(name: str, place: int, f: int) -> str:
        return f"(coalesce({name}{f}, 0) >> {place * BITS}) & {(1 << BITS) - 1}"

    places = (("near", 0), ("near", 1), ("near", 2), ("far", 0), ("far", 1))
    made = [count(name, place, f) for name, place in places for f in range(N_FAMILIES)]
    made += ["coalesce(days_7, 0)", "coalesce(days_30, 0)"]
    made += ["bit_count(coalesce(channels30, 0))", "bit_count(coalesce(channels, 0))"]
    made += ["coalesce(visits_30, 0)", "coalesce(visits, 0)"]
    last = (*(f"last{f}" for f in range(N_FAMILIES)), "last")
    made += [f"(as_of - {name}) / {float(DAY)!r}" for name in last]
    made += [f"coalesce(faded{q}_{h}, 0)" for h in (3, 14) for q in range(4)]
    n7, n30 = (
        "(" + " + ".join(f"({count('near', place, f)})" for f in range(N_FAMILIES)) + ")"
        for place in (1, 2)
    )
    made += ["gap_mean", "gap_std"]
    made += [f"CASE WHEN n > 0 THEN {n7} / 7.0 - ({n30} - {n7}) / 23.0 END"]
    made += [f"CASE WHEN {n30} > 0 THEN {n7} / {n30} END"]
    made += [f"(as_of - epoch_us(created_at)) / {float(DAY)!r}"]
    made += [f"{x} / n" for x in ("q0", "q1", "q2", "q3", "weekend", "business")]
    made += [f"first % {SHIFT}", f"latest % {SHIFT}"]
    made += ["coalesce(sum30, 0)", "coalesce(sum, 0)", "max30", "max"]
    return [f"({x})::DOUBLE AS c{i}" for i, x in enumerate(made)]


def _query() -> str:
    return f"""
    WITH numbered AS ({NUMBERED}),
    told AS (
        SELECT *, gap / {float(DAY)!r} AS gap_days, at_us % {DAY} // {DAY // 24} AS hour,
            (at_us // {DAY} + 3) % 7 AS weekday
        FROM numbered
    ),
    asked AS (SELECT lead, epoch_us(as_of) AS as_of, row_number() OVER () AS moment FROM moments),
    seen AS (
        SELECT moment, {", ".join(_aggregates())}
        FROM asked JOIN told ON asked.lead = told.lead AND told.at_us < asked.as_of
        GROUP BY moment
    )
    SELECT {", ".join(_columns())}
    FROM asked LEFT JOIN seen USING (moment) JOIN leads ON asked.lead = leads.lead
    ORDER BY moment
    """


def run_duckdb(job: JobLog) -> np.ndarray:
    """Do the whole job."""
    assert N_CHANNELS < SHIFT
    with duckdb.connect() as base:
        base.execute("SET enable_progress_bar = false")
        for name in ("events", "leads", "moments"):
            path = str(getattr(job, name))
            base.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
        found = base.execute(_query()).fetchnumpy()
    columns = [np.ma.filled(np.ma.asarray(c, np.float64), np.nan) for c in found.values()]
    return np.stack(columns, axis=1)
