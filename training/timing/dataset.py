"""Decision days and handoffs of a history, with what was known of each lead then."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.clock import to_us
from features.compute.offline import Snapshots
from features.compute.vocabulary import learn_catalog
from features.contracts.history import History
from training.engine import IN_PROCESS, Engine
from training.timing.labels import Decisions, Handoffs, read_timing

MOST_DECISIONS = 300_000
"""Decision days that are looked at: more leads than give so many are left out, by lot. All handoffs
are kept: they are few, and what a handoff brings is the harder question."""


@dataclass(frozen=True)
class TimingDataset:
    """What timing is learned from."""

    catalog: Catalog
    decisions: Decisions
    rows: NDArray[np.float32]
    """(n_decisions, n_features)"""
    handoffs: Handoffs
    handoff_rows: NDArray[np.float32]
    """As of each handoff; (n_handoffs, n_features)."""

    def take_leads(self, chosen: NDArray[np.bool_]) -> "TimingDataset":
        """Keep some leads whole; ``chosen`` has an entry for each lead of the history."""
        own, made = chosen[self.decisions.lead], chosen[self.handoffs.lead]
        place = np.where(made, np.cumsum(made) - 1, -1)
        decisions = self.decisions.take(own)
        handoff = np.where(decisions.handoff >= 0, place[decisions.handoff], -1)
        return TimingDataset(
            self.catalog,
            Decisions(decisions.snapshots, decisions.followed_by, handoff, decisions.gap_days),
            self.rows[own],
            self.handoffs.take(made),
            self.handoff_rows[made],
        )


def build_timing_dataset(
    history: History,
    catalog: Catalog | None = None,
    *,
    engine: Engine = IN_PROCESS,
    seed: int = 7,
    most_decisions: int = MOST_DECISIONS,
) -> TimingDataset:
    """Look at leads on their decision days, and at each handoff as it was made.

    Parameters
    ----------
    catalog
        By default learned from the whole history.
    seed
        Says which leads are left out of a history with too many decision days.
    """
    if catalog is None:
        until = to_us(history.about.observed_until)
        catalog = learn_catalog(history.about.taxonomy, [history.leads], until)
    logged = read_timing(history)
    decisions, handoffs = logged.decisions, logged.handoffs
    if len(decisions) > most_decisions:
        share = most_decisions / len(decisions)
        drawn = np.random.default_rng(seed).random(int(decisions.lead.max()) + 1) < share
        decisions = decisions.take(drawn[decisions.lead])
    made = Snapshots(handoffs.lead, handoffs.at)
    return TimingDataset(
        catalog,
        decisions,
        engine.compute(catalog, history, decisions.snapshots, progress=_ignore_progress),
        handoffs,
        engine.compute(catalog, history, made, progress=_ignore_progress),
    )


def _ignore_progress(_done: int) -> None:
    """Ignore progress."""
