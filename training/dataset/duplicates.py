"""Leads that are one lead twice: exported again under another id."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contracts.history import History
from features.kernel.layout import creation_times, lead_index

FEWEST_EVENTS = 3
"""Two leads with fewer events may share them by chance."""

_MIX = np.uint64(0x9E3779B97F4A7C15)


def find_duplicates(history: History) -> NDArray[np.int64]:
    """Find, for each lead, the one created first with the same events; itself if there is none.

    A copy on both sides of a split would let a model be judged on what it has learned by heart.
    Events are the same if they happened at the same microseconds and are of the same kinds.

    Returns
    -------
    ndarray of shape (n_leads,), int64
        Leads are numbered by first appearance in the lead table.
    """
    ids = lead_index(history.leads)
    own = np.arange(len(ids))
    events = history.events
    if not len(events):
        return own
    names = events.column("lead_id").combine_chunks().dictionary_encode()
    of_lead = np.array([ids[name] for name in names.dictionary.to_pylist()], np.int64)
    lead = of_lead[names.indices.to_numpy()]
    counts = np.bincount(lead, minlength=len(ids))
    prints = _sum_by_lead(lead, _print_events(events), len(ids))
    oldest_first = np.argsort(creation_times(history.leads), kind="stable")
    enough = oldest_first[counts[oldest_first] >= FEWEST_EVENTS]
    marks = np.stack([prints[enough], counts[enough].astype(np.uint64)], axis=1)
    _, first, which = np.unique(marks, axis=0, return_index=True, return_inverse=True)
    own[enough] = enough[first[which.ravel()]]
    return own


def _print_events(events: pa.Table) -> NDArray[np.uint64]:
    """Hash moment and kind of each event."""
    kinds = events.column("kind").combine_chunks().dictionary_encode().indices.to_numpy()
    moments = events.column("occurred_at").cast(pa.int64()).to_numpy()
    with np.errstate(over="ignore"):
        mixed = (moments.astype(np.uint64) * _MIX) ^ (kinds.astype(np.uint64) + np.uint64(1))
        mixed = (mixed ^ (mixed >> np.uint64(31))) * _MIX
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), np.uint64)


def _sum_by_lead(
    lead: NDArray[np.int64], prints: NDArray[np.uint64], n_leads: int
) -> NDArray[np.uint64]:
    """Add up hashes, which does not ask for an order."""
    totals = np.zeros(n_leads, np.uint64)
    np.add.at(totals, lead, prints)
    return totals
