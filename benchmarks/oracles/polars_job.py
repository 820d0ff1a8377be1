"""The feature job in Polars: one lazy query, streaming; join, filter, one group-by.

Order-dependent facts (first, latest, sessions, days) become numbers before the join, so that the
group-by needs nothing dearer than sums, minima and maxima; what several aggregates ask of a pair is
computed once, before it.
"""

import numpy as np
import polars as pl

from benchmarks.job_log import N_FAMILIES, WINDOWS_DAYS, JobLog
from features.clock import DAY_US, MINUTE_US

BITS = 20
"""Bits of one count."""

SHIFT = 16
"""A channel rides in the low bits of its record's place in the lead's order."""


def _numbered(job: JobLog) -> pl.LazyFrame:
    """Sort the events of each lead, and number visits, days and records."""
    at = pl.col("at")
    gap = pl.col("gap")
    return (
        pl.scan_parquet(job.events)
        .with_columns(
            at=pl.col("ts").cast(pl.Int64), family=pl.col("type").cast(pl.Int64) % N_FAMILIES
        )
        .sort(
            "lead", "at", "type", "channel", "value", nulls_last=[False, False, False, False, True]
        )
        .with_columns(gap=(at - at.shift(1)).over("lead"), rank=pl.int_range(pl.len()))
        .with_columns(
            visit=(gap.is_null() | (gap > 30 * MINUTE_US)).cum_sum(),
            day=(gap.is_null() | (at // DAY_US != at.shift(1) // DAY_US)).cum_sum(),
            gap_days=gap / DAY_US,
            touch=pl.when(pl.col("channel").is_not_null()).then(
                pl.col("rank") * SHIFT + pl.col("channel")
            ),
            bit=(pl.lit(2, pl.Int64) ** pl.col("channel").cast(pl.Int64)).fill_null(0),
            hour=at % DAY_US // (DAY_US // 24),
            weekday=(at // DAY_US + 3) % 7,
        )
    )


def _pairs(events: pl.LazyFrame, moments: pl.LazyFrame) -> pl.LazyFrame:
    """Pair each moment with what it sees, and tell of each pair what many aggregates ask."""
    age, within = pl.col("age"), {d: pl.col(f"in{d}").cast(pl.Int64) for d in WINDOWS_DAYS}
    return (
        events.join(moments, on="lead")
        .filter(pl.col("at") < pl.col("as_of"))
        .with_columns(age=pl.col("as_of") - pl.col("at"))
        .with_columns(
            *((age <= d * DAY_US).alias(f"in{d}") for d in WINDOWS_DAYS),
            *(
                (age.cast(pl.Float64) * (-np.log(2) / (h * DAY_US))).exp().alias(f"faded{h}")
                for h in (3.0, 14.0)
            ),
        )
        # Three counts in one sum of whole numbers: cheaper than three sums.
        .with_columns(
            near=within[1] + within[7] * (1 << BITS) + within[30] * (1 << 2 * BITS),
            far=within[90] + (1 << BITS),
        )
    )


def _aggregates() -> list[pl.Expr]:
    inside = {d: pl.col(f"in{d}") for d in WINDOWS_DAYS}
    family, found = pl.col("family"), []
    near, far = pl.col("near"), pl.col("far")
    for f in range(N_FAMILIES):
        chosen = family == f
        found.append(pl.when(chosen).then(near).otherwise(0).sum().alias(f"near{f}"))
        found.append(pl.when(chosen).then(far).otherwise(0).sum().alias(f"far{f}"))
    for name, d in (("day", 7), ("day", 30), ("visit", 30)):
        some = pl.when(inside[d]).then(pl.col(name))
        found.append((some.max() - some.min() + 1).fill_null(0).alias(f"{name}s_{d}"))
    found.append((pl.col("visit").max() - pl.col("visit").min() + 1).alias("visits"))
    bit = pl.col("bit")
    found.append(pl.when(inside[30]).then(bit).otherwise(0).bitwise_or().alias("channels30"))
    found.append(bit.bitwise_or().alias("channels"))
    for f in range(N_FAMILIES):
        found.append(pl.when(family == f).then(pl.col("at")).max().alias(f"last{f}"))
    found.append(pl.col("at").max().alias("last"))
    for h in (3.0, 14.0):
        faded = pl.col(f"faded{h}")
        for q in range(4):
            found.append(
                pl.when(family // 2 == q).then(faded).otherwise(0.0).sum().alias(f"faded{q}_{h}")
            )
    gap, hour, weekday = pl.col("gap_days"), pl.col("hour"), pl.col("weekday")
    found += [gap.mean().alias("gap_mean"), gap.std().alias("gap_std"), pl.len().alias("n")]
    found += [inside[7].sum().alias("n7"), inside[30].sum().alias("n30")]
    found += [(hour // 6 == q).sum().alias(f"q{q}") for q in range(4)]
    found.append((weekday >= 5).sum().alias("weekend"))
    found.append(((weekday < 5) & (hour >= 9) & (hour < 17)).sum().alias("business"))
    found += [pl.col("touch").min().alias("first"), pl.col("touch").max().alias("latest")]
    value = pl.col("value")
    found += [pl.when(inside[30]).then(value).sum().alias("sum30"), value.sum().alias("sum")]
    return [*found, pl.when(inside[30]).then(value).max().alias("max30"), value.max().alias("max")]


def _columns() -> list[pl.Expr]:
    as_of = pl.col("as_of")
    places = (("near", 0), ("near", 1), ("near", 2), ("far", 0), ("far", 1))
    count = [
        pl.col(f"{name}{f}").fill_null(0) // (1 << (place * BITS)) % (1 << BITS)
        for name, place in places
        for f in range(N_FAMILIES)
    ]
    channels = [pl.col(n).fill_null(0).bitwise_count_ones() for n in ("channels30", "channels")]
    last = [
        (as_of - pl.col(n)) / DAY_US for n in (*(f"last{f}" for f in range(N_FAMILIES)), "last")
    ]
    faded = [pl.col(f"faded{q}_{h}").fill_null(0.0) for h in (3.0, 14.0) for q in range(4)]
    n7, n30, n = pl.col("n7"), pl.col("n30"), pl.col("n")
    shares = [pl.col(x) / n for x in ("q0", "q1", "q2", "q3", "weekend", "business")]
    made = [
        *count,
        *(pl.col(x).fill_null(0) for x in ("days_7", "days_30")),
        *channels,
        *(pl.col(x).fill_null(0) for x in ("visits_30", "visits")),
        *last,
        *faded,
        pl.col("gap_mean"),
        pl.col("gap_std"),
        n7 / 7 - (n30.cast(pl.Int64) - n7) / 23,
        pl.when(n30 > 0).then(n7 / n30),
        (as_of - pl.col("created_at").cast(pl.Int64)) / DAY_US,
        *shares,
        pl.col("first") % SHIFT,
        pl.col("latest") % SHIFT,
        pl.col("sum30").fill_null(0.0),
        pl.col("sum").fill_null(0.0),
        pl.col("max30"),
        pl.col("max"),
    ]
    return [x.cast(pl.Float64).alias(str(i)) for i, x in enumerate(made)]


def run_polars(job: JobLog) -> np.ndarray:
    """Do the whole job."""
    moments = (
        pl.scan_parquet(job.moments)
        .with_columns(as_of=pl.col("as_of").cast(pl.Int64))
        .with_row_index("moment")
    )
    seen = _pairs(_numbered(job), moments).group_by("moment").agg(_aggregates())
    made = (
        moments.join(seen, on="moment", how="left")
        .join(pl.scan_parquet(job.leads), on="lead")
        .sort("moment")
        .select(_columns())
    )
    return made.collect(engine="streaming").fill_null(np.nan).to_numpy()
