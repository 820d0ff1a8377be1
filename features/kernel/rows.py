"""Rows of features: one pass over a lead's sorted records, one row per moment of looking.

Hot path: arrays in, rows out. Records are visited once in order of time. What is remembered
depends on the visible records only, never on which moments were asked for, so a row asked alone
equals the same row among many. ``emit`` writes the rows; ``reference`` says in plain Python what
every number means.
"""

import numpy as np
from numba import njit

from features.kernel.emit import Row, write_counts, write_lead, write_lifetime, write_slots
from features.kernel.layout import Columns
from features.kernel.plan import Plan
from features.kernel.record import CHANNEL_BITS, CHANNEL_MASK, KIND_MASK, TIME_SHIFT
from features.kernel.state import (
    DAY,
    FILLED,
    HOUR,
    HOUR_OF_DAY,
    N_FACTS,
    N_REALS,
    N_TRAITS,
    NEVER,
    WEEKDAY,
    Flags,
    Floats,
    Ints,
    decay,
    reset,
    visit,
)
from features.kernel.windows import pass_out

ALWAYS = 1 << 62
"""After any moment there is."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _most_records(offsets: Ints, first_lead: int, n_leads: int) -> int:
    most = 1
    for lead in range(first_lead, first_lead + n_leads):
        most = max(most, offsets[lead + 1] - offsets[lead])
    return most


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _newest_version(known_at: Ints, low: int, high: int, as_of: int) -> int:
    """Find the version that held, from the one that held before; ``low - 1`` if none did yet."""
    version = low
    while version + 1 < high and known_at[version + 1] < as_of:
        version += 1
    return version


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _measure_completeness(
    facts: Floats, values: Floats, version: int, asked: Flags, is_flag: Flags
) -> None:
    for which in range(asked.shape[0]):
        n, wanted = 0, 0
        for a in range(asked.shape[1]):
            if asked[which, a]:
                wanted += 1
                if version >= 0:
                    cell = values[version, a]
                    # A flag that says no is knowledge, but no contact information.
                    absent = which == 1 and is_flag[a] and cell == 0.0
                    n += not np.isnan(cell) and not absent
        facts[FILLED + which] = n / wanted if wanted else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def fill_rows(
    columns: Columns,
    plan: Plan,
    first_lead: int,
    snapshot_offsets: Ints,
    as_of: Ints,
    out: Row,
) -> None:
    """Compute the features of consecutive leads at their moments of looking.

    Parameters
    ----------
    columns, plan
        From ``layout`` and ``plan``.
    first_lead
        Index in ``columns`` of the lead that owns the first moments.
    snapshot_offsets : ndarray of shape (n_leads + 1,), int64
        Lead ``first_lead + i`` is looked at at ``as_of[offsets[i]:offsets[i + 1]]``.
    as_of : ndarray of shape (n_snapshots,), int64
        Microseconds since the epoch, ascending within each lead.
    out : ndarray of shape (n_snapshots, n_features), float32
        Filled row by row; NaN where a feature is not known.
    """
    # Every array is taken from its tuple once, here; see `state` for why.
    mask, decay_rates, decay_mask = plan.mask, plan.decay_rates, plan.decay_mask
    group_start, kind_group = plan.group_start, plan.kind_group
    slot_start, kind_slot = plan.slot_start, plan.kind_slot
    slot_group, slot_kinds, wants = plan.slot_group, plan.slot_kinds, plan.wants
    windows_us, window_days = plan.windows_us, plan.window_days
    runs, op_start, entries = plan.runs, plan.op_start, plan.entries
    asked, is_flag = plan.asked, plan.is_flag
    offsets, words, created_at = columns.offsets, columns.records, columns.created_at
    numbers, known_at = words.view(np.float64), columns.known_at
    version_offsets, version_known_at = columns.version_offsets, columns.version_known_at
    version_values = columns.version_values

    n_leads, n_windows = snapshot_offsets.shape[0] - 1, windows_us.shape[0]
    n_kinds, n_groups, n_slots = mask.shape[0], mask.shape[1], slot_group.shape[0]
    most = _most_records(offsets, first_lead, n_leads)
    # One row per window, one that stays zero for the lifetime, one for all that was seen.
    tally = np.empty((n_windows + 2, n_groups), np.int32)
    group_last, kind_last = np.empty(n_groups, np.int64), np.empty(n_kinds, np.int64)
    channel_last = np.empty((n_slots, plan.n_channels + 1), np.int64)
    traits = np.empty((n_slots, N_TRAITS), np.int64)
    bins = np.empty((n_slots, 6), np.int64)
    reals = np.empty((n_slots, N_REALS), np.float64)
    decayed = np.empty((decay_rates.shape[0], decay_mask.shape[1]), np.float64)
    fades = np.empty(decay_rates.shape[0], np.float64)
    low, seen = np.empty(n_windows, np.int64), np.empty(most, np.int64)
    spread_days = np.empty((n_slots, most), np.int32)
    spread_visits = np.empty((n_slots, most), np.int32)
    worth_at = np.empty((n_slots, most), np.int64)
    worth = np.empty((n_slots, most), np.float64)
    sums, largest = np.empty(n_windows + 1, np.float64), np.empty(n_windows + 1, np.float64)
    facts = np.empty(N_FACTS, np.float64)
    delays = known_at.shape[0] > 0

    for i in range(n_leads):
        lead = first_lead + i
        begin, end = offsets[lead], offsets[lead + 1]
        nxt, n_seen, faded_at = begin, 0, NEVER
        earliest_pending = ALWAYS
        version, last_version = version_offsets[lead] - 1, version_offsets[lead + 1]
        reset(tally, group_last, kind_last, channel_last, traits, bins, reals, decayed, low)
        facts[WEEKDAY] = (created_at[lead] // DAY + 3) % 7  # 1970-01-01 was a Thursday
        facts[HOUR_OF_DAY] = (created_at[lead] % DAY) // HOUR
        _measure_completeness(facts, version_values, -1, asked, is_flag)
        for s in range(snapshot_offsets[i], snapshot_offsets[i + 1]):
            now = as_of[s]
            if earliest_pending < now:
                # A record that had happened, but was not known when we looked before, has become
                # known since: it belongs among those already visited, so start over.
                reset(
                    tally, group_last, kind_last, channel_last, traits, bins, reals, decayed, low
                )
                nxt, n_seen, faded_at, earliest_pending = begin, 0, NEVER, ALWAYS
            while nxt < end:
                word = words[2 * nxt]
                at = word >> TIME_SHIFT
                if at >= now:
                    break
                if delays and known_at[nxt] >= now:
                    earliest_pending = min(earliest_pending, known_at[nxt])
                    nxt += 1
                    continue
                kind = (word >> CHANNEL_BITS) & KIND_MASK
                visit(
                    tally, group_last, kind_last, channel_last, traits, bins, reals, spread_days,
                    spread_visits, worth_at, worth, mask, group_start, kind_group, slot_start,
                    kind_slot, slot_group, wants, at, kind, word & CHANNEL_MASK, numbers[2 * nxt + 1],
                )  # fmt: skip
                decay(decayed, decay_rates, decay_mask, kind, at - faded_at if n_seen else 0)
                faded_at = at
                seen[n_seen] = word
                n_seen += 1
                nxt += 1
            pass_out(tally, low, windows_us, mask, seen, n_seen, now)
            row = out[s]
            write_counts(row, tally, group_last, runs, now)
            for h in range(decay_rates.shape[0]):
                fades[h] = np.exp(-decay_rates[h] * (now - faded_at)) if n_seen else 0.0
            write_lifetime(
                row, tally, traits, bins, reals, decayed, fades, window_days, op_start, entries,
                slot_group, now,
            )  # fmt: skip
            write_slots(
                row, tally, kind_last, channel_last, traits, reals, spread_days, spread_visits,
                worth_at, worth, sums, largest, windows_us, slot_group, slot_kinds,
                wants, op_start, entries, now,
            )  # fmt: skip
            if version + 1 < last_version and version_known_at[version + 1] < now:
                version = _newest_version(version_known_at, version + 1, last_version, now)
                _measure_completeness(facts, version_values, version, asked, is_flag)
            held = version if version >= version_offsets[lead] else -1
            write_lead(row, created_at[lead], facts, held, version_values, op_start, entries, now)
