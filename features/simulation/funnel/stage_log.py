"""The stage changes of a made-up market, gathered as columns while the days go by."""

from dataclasses import dataclass, field

import numpy as np

from features.lifecycle.stages import Stage
from features.simulation.behaviour.population import Floats, Ints
from features.simulation.vocabulary import REASONS, SIGNALS, STAGES

STAGE = {stage: code for code, stage in enumerate(STAGES)}
SIGNAL = {name: code for code, name in enumerate(SIGNALS)}
REASON = {name: code for code, name in enumerate(REASONS)}

NOBODY, SYSTEM, MARKETING = -1, 0, -2
"""Actor codes; sellers are numbered from 1."""


@dataclass(frozen=True)
class StageChanges:
    """Stage changes as columns; times in days, codes by the vocabulary, -1 for no reason."""

    lead: Ints
    at: Floats
    stage: Ints
    signal: Ints
    reason: Ints
    actor: Ints
    amount: Floats
    propensity: Floats
    """Chance of a handoff that was drawn at random; NaN for all others."""

    def __len__(self) -> int:
        return len(self.lead)


@dataclass
class StageLog:
    """Stage changes in the making."""

    _parts: list[StageChanges] = field(default_factory=list)

    def add(
        self,
        lead: Ints,
        at: Floats,
        stage: Stage,
        signal: str | Ints,
        *,
        reason: Ints | None = None,
        actor: Ints | int = SYSTEM,
        amount: Floats | None = None,
        propensity: Floats | None = None,
    ) -> None:
        """Add the same stage for several leads, each at its own time."""
        n = len(lead)
        if not n:
            return
        self._parts.append(
            StageChanges(
                lead=lead,
                at=at,
                stage=np.full(n, STAGE[stage]),
                signal=np.full(n, SIGNAL[signal]) if isinstance(signal, str) else signal,
                reason=np.full(n, -1) if reason is None else reason,
                actor=np.full(n, actor) if isinstance(actor, int) else actor,
                amount=np.full(n, np.nan) if amount is None else amount,
                propensity=np.full(n, np.nan) if propensity is None else propensity,
            )
        )

    def build(self) -> StageChanges:
        """Assemble the changes, by lead and then time."""
        columns = {
            name: np.concatenate([vars(part)[name] for part in self._parts])
            for name in StageChanges.__dataclass_fields__
        }
        # Codes of stages ascend along the funnel, so changes of one instant keep their order.
        order = np.lexsort((columns["stage"], columns["at"], columns["lead"]))
        return StageChanges(**{name: column[order] for name, column in columns.items()})
