"""The feature kernel: many leads at many moments, in events and snapshots per second."""

import numpy as np

from benchmarks.measure import print_table, take_cpu, take_times
from features.catalog.fit import OTHER_CATEGORY, Attribute
from features.catalog.manifest import Catalog, build_catalog
from features.clock import DAY_US, MINUTE_US
from features.compute.offline import Snapshots, compute_columns
from features.kernel.encode import Encoder
from features.kernel.layout import Columns, assemble_columns
from features.kernel.plan import build_plan
from features.kernel.rows import fill_rows
from features.taxonomy import default_taxonomy

START = 20_000 * DAY_US


def draw_log(rng: np.random.Generator, n_leads: int, late_share: float) -> tuple[Catalog, Columns]:
    """Draw a log: lognormal events per lead (mean 20, median 10), in sessions, over 180 days."""
    industries = ("bank", "software", OTHER_CATEGORY)
    attributes = (Attribute("industry", "category", industries), Attribute("employees", "number"))
    catalog = build_catalog(default_taxonomy(), attributes)
    n_kinds = len(catalog.taxonomy.kinds)
    per_lead = np.maximum(1, rng.lognormal(2.3, 1.17, n_leads)).astype(np.int64)
    lead = np.repeat(np.arange(n_leads), per_lead)
    n = len(lead)
    at = START + rng.integers(0, 180, n) * DAY_US + rng.integers(0, 600, n) * MINUTE_US
    delay = np.where(rng.random(n) < late_share, rng.integers(0, 3 * DAY_US, n), 0)
    value = np.where(rng.random(n) < 0.7, np.nan, rng.random(n) * 100)
    records = (
        lead,
        at,
        at + delay,
        rng.integers(0, n_kinds, n),
        rng.integers(-1, len(Encoder(catalog).channel_codes), n),
        value,
    )
    cells = np.stack([rng.integers(0, 3, n_leads), rng.random(n_leads) * 500], axis=1)
    versions = (np.arange(n_leads), np.full(n_leads, START), cells)
    return catalog, assemble_columns(np.full(n_leads, START), records, versions)


def weekly(n_leads: int, weeks: int) -> Snapshots:
    """Look at every lead weekly."""
    moments = START + DAY_US + np.arange(weeks) * 28 * DAY_US
    return Snapshots(np.repeat(np.arange(n_leads), weeks), np.tile(moments, n_leads))


def measure_kernel(n_leads: int = 50_000, repeats: int = 5) -> None:
    """Print what the kernel costs, with and without late arrivals."""
    rows = []
    for words, late_share in (("all punctual", 0.0), ("1 % of events late", 0.01)):
        catalog, columns = draw_log(np.random.default_rng(1), n_leads, late_share)
        asked = weekly(n_leads, 6)
        plan, out = build_plan(catalog), np.empty((len(asked), len(catalog.features)), np.float32)
        offsets = asked.offsets(n_leads)

        def one_thread(c=columns, p=plan, o=offsets, a=asked, m=out) -> None:
            fill_rows(c, p, 0, o, a.as_of, m)

        def all_cores(c=columns, k=catalog, a=asked) -> None:
            compute_columns(k, c, a)

        n_events = len(columns.records) // 2
        cpu = np.median(take_cpu(one_thread, repeats=repeats))
        wall = np.median(take_times(all_cores, repeats=repeats))
        rows.append(
            (
                words,
                f"{n_events:,}",
                f"{len(asked):,} x {len(catalog.features)}",
                f"{cpu / n_events * 1e9:,.0f}",
                f"{n_events / cpu / 1e6:.1f} M",
                f"{n_events / wall / 1e6:.1f} M",
                f"{len(asked) / wall / 1e6:.2f} M",
            )
        )
    headings = [
        "sorted columns to matrix", "events", "snapshots x features", "CPU ns per event",
        "events/s, one thread", "events/s, all cores", "snapshots/s, all cores",
    ]  # fmt: skip
    print_table(f"Feature kernel, medians of {repeats}", headings, rows)
