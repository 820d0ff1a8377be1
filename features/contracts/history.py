"""A company's history: the four tables, and what must be said about them."""

from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from features.contracts.attempts import check_attempts
from features.contracts.events import check_events
from features.contracts.leads import check_leads
from features.contracts.stages import check_stages
from features.taxonomy import Taxonomy


@dataclass(frozen=True)
class HistoryManifest:
    """What a history says about itself; written as ``history.json`` beside the tables."""

    source: str
    """Where it came from: the mapping's name, or ``simulation``."""
    taxonomy: Taxonomy
    """The event kinds and channels its events use."""
    observed_until: datetime
    """The cut: nothing at or after this moment is in the tables. Later outcomes are unknown."""
    observed_from: datetime | None = None
    """Outcomes before this moment were not recorded (left truncation); None if all were."""
    withheld: dict[str, str] = field(default_factory=dict)
    """Fields refused as features, with the reason (known only after the outcome, ...)."""
    notes: dict[str, str] = field(default_factory=dict)
    """Free facts for the model card: seed of a simulation, fingerprint of the mapping, ..."""


@dataclass(frozen=True)
class History:
    """Leads, events, stages and attempts, checked, and their manifest."""

    leads: pa.Table
    events: pa.Table
    stages: pa.Table
    attempts: pa.Table
    about: HistoryManifest

    def check(self) -> None:
        """Check the shape of every table.

        Raises
        ------
        ContractError
            On the first column that is missing, of the wrong type, or empty where it may not be.
        """
        check_leads(self.leads)
        check_events(self.events)
        check_stages(self.stages)
        check_attempts(self.attempts)
