"""The log of the feature job: drawn once per size, kept under ``var/bench``.

Lognormal events per lead (mean 20, median 10) in sessions; 1 % exact ties; events exactly on
moments of looking and on edges of windows; 2 % without channel, 70 % without value; 4 to 8 moments
per lead, a week apart, four weeks for every fifth lead. In order of time, zstd, whole-number ids.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import console
from features.clock import DAY_US, MINUTE_US

HOME = Path("var/bench/job")
START = 20_000 * DAY_US
N_TYPES, N_CHANNELS, N_FAMILIES = 20, 10, 8
WINDOWS_DAYS = (1, 7, 30, 90)
TIME = pa.timestamp("us")


@dataclass(frozen=True)
class JobLog:
    """Three Parquet files: what happened, who there is, when to look."""

    events: Path
    leads: Path
    moments: Path
    n_events: int


def draw_moments(rng: np.random.Generator, n_leads: int) -> tuple[np.ndarray, ...]:
    """Draw creations, and per moment of looking its lead and time; and how many each lead has."""
    created = START + rng.integers(0, 200 * DAY_US, n_leads)
    n_snapshots = rng.integers(4, 9, n_leads)
    step = np.where(rng.random(n_leads) < 0.2, 28, 7) * DAY_US
    lead = np.repeat(np.arange(n_leads), n_snapshots)
    nth = np.arange(len(lead)) - np.repeat(np.cumsum(n_snapshots) - n_snapshots, n_snapshots)
    return created, lead, created[lead] + (nth + 1) * step[lead], n_snapshots


def draw_times(
    rng: np.random.Generator, lead: np.ndarray, created: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Draw when each event of the leads happened, up to their last moment of looking."""
    n = len(lead)
    # Interest begins somewhat after creation, so that many a first look sees nothing.
    begin = created[lead] + (rng.random(len(created)) * 20 * DAY_US).astype(np.int64)[lead]
    at = begin + (rng.random(n) * np.maximum(last[lead] - begin, DAY_US)).astype(np.int64)
    follows = rng.random(n) < 0.5
    follows[1:] &= lead[1:] == lead[:-1]
    follows[0] = False
    for _ in range(3):  # chains of up to four: sessions
        at[follows] = np.roll(at, 1)[follows] + rng.integers(1, 20 * MINUTE_US, follows.sum())
    ties = follows & (rng.random(n) < 0.02)
    at[ties] = np.roll(at, 1)[ties]
    return at


def draw_job(n_events: int, seed: int = 1) -> JobLog:
    """Draw the job, unless that was done before."""
    folder = HOME / f"{n_events // 1_000_000}M"
    job = JobLog(*(folder / f"{n}.parquet" for n in ("events", "leads", "moments")), n_events)
    if job.moments.is_file():
        return job
    console.print(f"drawing a log of {n_events:,} events …")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    n_leads = n_events // 20
    created, look_lead, as_of, n_snapshots = draw_moments(rng, n_leads)
    weights = rng.lognormal(np.log(10), np.sqrt(2 * np.log(2)), n_leads)
    per_lead = np.maximum(1, np.round(weights * n_events / weights.sum())).astype(np.int64)
    lead = np.repeat(np.arange(n_leads), per_lead)
    first_look = np.cumsum(n_snapshots) - n_snapshots
    at = draw_times(rng, lead, created, as_of[first_look + n_snapshots - 1])
    # One in a hundred lies exactly on a moment of looking, or on the edge of one of its windows.
    exact = np.flatnonzero(rng.random(len(at)) < 0.01)
    look = first_look[lead[exact]] + rng.integers(0, 4, len(exact))
    at[exact] = as_of[look] - rng.choice([0, *WINDOWS_DAYS], len(exact)) * DAY_US
    order = np.argsort(at, kind="stable")
    n = len(at)
    ids = np.sort(rng.choice(1 << 40, n_leads, replace=False)).astype(np.int64)
    channel = rng.integers(0, N_CHANNELS, n).astype(np.int8)
    events = {
        "lead": ids[lead[order]],
        "ts": pa.array(at[order], TIME),
        "type": rng.choice(N_TYPES, n, p=type_shares()).astype(np.int8),
        "channel": pa.array(channel, mask=rng.random(n) < 0.02),
        "value": pa.array(np.round(rng.lognormal(3, 1, n), 2), mask=rng.random(n) < 0.7),
    }
    pq.write_table(pa.table(events), job.events, compression="zstd")
    people = pa.table({"lead": ids, "created_at": pa.array(created, TIME)})
    pq.write_table(people, job.leads, compression="zstd")
    looks = pa.table({"lead": ids[look_lead], "as_of": pa.array(as_of, TIME)})
    pq.write_table(looks, job.moments, compression="zstd")
    return job


def type_shares() -> np.ndarray:
    """Give each type's share: the i-th is a 1/i of the first."""
    shares = 1.0 / np.arange(1, N_TYPES + 1)
    return shares / shares.sum()
