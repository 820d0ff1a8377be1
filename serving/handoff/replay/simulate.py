"""Walk through the looks with a draft: which of them hand a lead over. Pure.

The whole history at once, cut by cut; a test holds it to ``policy.decide``, look by look.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.sections.triggers import Suppression
from serving.handoff.replay.snapshots import ReplaySnapshots


@dataclass(frozen=True)
class SimulatedHandoffs:
    """Handoffs the draft makes, by time."""

    at: ReplaySnapshots
    """The look of each."""
    asked: NDArray[np.bool_]
    """Whether the lead had asked itself; else its score handed it over."""

    def __len__(self) -> int:
        return len(self.at)


def simulate(
    snapshots: ReplaySnapshots, playbook: Playbook, score_from: float | None = None
) -> SimulatedHandoffs:
    """Hand over every lead at the first look that allows it, and again after it came back.

    Parameters
    ----------
    snapshots
        Of all leads.
    playbook
        The draft. Its draws at random and the timing model are left out.
    score_from
        A threshold in place of the draft's.
    """
    asks, scores = find_triggers(snapshots, playbook, score_from)
    eligible = np.flatnonzero(asks | scores)
    lead, as_of = snapshots.lead[eligible], snapshots.as_of[eligible]
    free_from = np.full(int(lead.max()) + 1 if len(lead) else 0, np.iinfo(np.int64).min)
    taken: list[NDArray[np.int64]] = []
    while True:
        free = np.flatnonzero(as_of >= free_from[lead])
        if not len(free):
            break
        leads, first = np.unique(lead[free], return_index=True)
        chosen = eligible[free[first]]
        taken.append(chosen)
        # In hand until the history itself says that the lead came back.
        free_from[leads] = np.maximum(snapshots.next_end[chosen], snapshots.as_of[chosen] + 1)
    every = np.concatenate([np.empty(0, np.int64), *taken])
    order = every[np.lexsort((snapshots.lead[every], snapshots.as_of[every]))]
    return SimulatedHandoffs(snapshots.take(order), asks[order])


def find_triggers(
    snapshots: ReplaySnapshots, playbook: Playbook, score_from: float | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find at which looks asking, and at which the score, may hand the lead over."""
    triggers = playbook.triggers
    kept = snapshots.resting | snapshots.fails
    asks = snapshots.asked.copy()
    if Suppression.COOLING_DOWN not in triggers.hand_raisers_pass:
        asks &= ~snapshots.resting
    if Suppression.FAILS_MQL not in triggers.hand_raisers_pass:
        asks &= ~snapshots.fails
    if not triggers.score_gate:
        return asks, np.zeros(len(snapshots), np.bool_)
    cut = triggers.score_from if score_from is None else score_from
    reached = np.nan_to_num(snapshots.points, nan=-np.inf) >= cut
    if score_from is None:
        for name in triggers.bands:
            reached |= find_band(snapshots.points, playbook) == name
    return asks, reached & ~kept


def find_band(points: NDArray[np.float64], playbook: Playbook) -> NDArray[np.str_]:
    """Find the band of each score by the draft's edges; empty where there is none."""
    bands = playbook.bands
    reached = (points >= bands.A, points >= bands.B, points >= bands.C, ~np.isnan(points))
    return np.asarray(np.select(reached, ("A", "B", "C", "D"), default=""))
