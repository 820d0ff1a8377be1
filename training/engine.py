"""Who does the heavy work of a run: this process, unless somebody else is named."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.catalog.manifest import Catalog
from features.compute.offline import Snapshots, compute_matrix
from features.contracts.history import History
from training.estimators.candidates import CANDIDATES, Candidate
from training.estimators.plugins import find_candidates


class ComputeMatrix(Protocol):
    """Computes the features of a history's leads at their snapshots."""

    def __call__(
        self,
        catalog: Catalog,
        history: History,
        snapshots: Snapshots,
        *,
        progress: Callable[[int], None],
    ) -> NDArray[np.float32]:
        """Give a row per snapshot; call ``progress`` with the number of rows just done."""


@dataclass(frozen=True)
class Engine:
    """Where features are computed and candidates are fitted."""

    compute: ComputeMatrix = compute_matrix
    candidates: Mapping[str, Candidate] = field(default_factory=lambda: CANDIDATES)
    warnings: tuple[str, ...] = ()
    """What the card should say of it."""


IN_PROCESS = Engine()


def with_installed(engine: Engine, names: Collection[str] | None = None) -> Engine:
    """Let the candidates compete, too, that other packages bring: all, or those named.

    They come last: of equals the simplest is chosen, and nobody knows how simple they are.

    Raises
    ------
    EstimatorRefusedError, EstimatorNotInstalledError
        As `find_candidates`.
    """
    brought = {one.name: one for one in find_candidates(names)}
    return replace(engine, candidates={**engine.candidates, **brought})
