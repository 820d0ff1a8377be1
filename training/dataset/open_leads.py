"""Who is open at a moment, and who acted on each lead last. Pure."""

from itertools import groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.contracts.history import History
from features.kernel.layout import creation_times, lead_index
from features.lifecycle.replay import StageChange, standing_at
from features.lifecycle.stages import Stage, funnel_position
from features.lifecycle.targets import Target


def _known_before(table: pa.Table, as_of: int) -> pa.Table:
    """Keep what had happened and was known before a moment."""
    moment = pa.scalar(as_of, pa.int64())
    times = [table.column(name).cast(pa.int64()) for name in ("at", "known_at")]
    return table.filter(pc.and_(pc.less(times[0], moment), pc.less(times[1], moment)))


def find_open(history: History, target: Target, as_of: int) -> NDArray[np.int64]:
    """Find the leads for which there is still something to predict.

    Parameters
    ----------
    target
        What is predicted.
    as_of
        The moment of looking, microseconds since the epoch.

    Returns
    -------
    ndarray of shape (n_open,), int64
        Row numbers of the leads, by first appearance in the lead table.
    """
    ids = lead_index(history.leads)
    is_open = creation_times(history.leads) < as_of
    table = _known_before(history.stages, as_of)
    columns = [
        [ids[lead_id] for lead_id in table.column("lead_id").to_pylist()],
        table.column("at").cast(pa.int64()).to_pylist(),
        table.column("known_at").cast(pa.int64()).to_pylist(),
        table.column("stage").to_pylist(),
    ]
    rows = sorted(
        zip(*columns, strict=True), key=lambda row: (row[0], row[1], funnel_position(row[3]))
    )
    for lead, own in groupby(rows, key=itemgetter(0)):
        moves = [StageChange(at, known_at, Stage(stage)) for _, at, known_at, stage in own]
        is_open[lead] &= standing_at(moves, as_of, target).is_open
    return np.flatnonzero(is_open)


def find_owners(history: History, as_of: int) -> dict[str, str]:
    """Find the owner of each lead: the actor of its latest stage change or attempt.

    Leads on which nobody acted by name are left out.
    """
    names = ["lead_id", "at", "known_at", "actor"]
    acts = pa.concat_tables(
        [history.stages.select(names), history.attempts.select(names)],
        promote_options="permissive",
    )
    acts = _known_before(acts.filter(pc.is_valid(acts.column("actor"))), as_of)
    acts = acts.sort_by([("at", "ascending"), ("known_at", "ascending")])
    # Of equal keys the last holds: the latest act.
    return dict(
        zip(acts.column("lead_id").to_pylist(), acts.column("actor").to_pylist(), strict=True)
    )
