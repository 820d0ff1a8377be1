"""When each field of the lead record was known: what an audit must ask before anything else."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.contracts.history import History
from features.contracts.leads import attribute_types
from features.kernel.layout import lead_index


@dataclass(frozen=True)
class Availability:
    """When one attribute became known, as shares of the leads; they add up to 1."""

    field: str
    at_creation: float
    """Filled in, or claimed to be, the moment the lead came into being."""
    later: float
    """Empty at first, filled in by a later version of the lead that carries its own date."""
    never: float

    @property
    def words(self) -> str:
        """Say it in one cell.

        >>> Availability("budget", 0.4, 0.25, 0.35).words
        '40 % at creation, 25 % later, 35 % never'
        """
        shares = ((self.at_creation, "at creation"), (self.later, "later"), (self.never, "never"))
        return ", ".join(f"{share:.0%} {when}".replace("%", " %", 1) for share, when in shares)


def list_availability(
    history: History, without: frozenset[str] = frozenset()
) -> tuple[Availability, ...]:
    """Tell for each attribute when it became known.

    Parameters
    ----------
    without
        Attributes that are left out.
    """
    leads = history.leads
    ids = lead_index(leads)
    of = np.array([ids[i] for i in leads.column("lead_id").to_pylist()], np.int64)
    known = np.asarray(leads.column("known_at").cast(pa.int64()).to_numpy())
    created = np.asarray(leads.column("created_at").cast(pa.int64()).to_numpy())
    first = known <= created
    return tuple(
        _measure(name, _is_filled(leads, name), first, of, len(ids))
        for name in attribute_types(leads)
        if name not in without
    )


def _is_filled(leads: pa.Table, name: str) -> NDArray[np.bool_]:
    return np.asarray(pc.is_valid(leads.column(name)).to_numpy(zero_copy_only=False), np.bool_)


def _measure(
    name: str,
    filled: NDArray[np.bool_],
    first: NDArray[np.bool_],
    of: NDArray[np.int64],
    n_leads: int,
) -> Availability:
    early = np.zeros(n_leads, np.bool_)
    ever = np.zeros(n_leads, np.bool_)
    early[of[filled & first]] = True
    ever[of[filled]] = True
    at_creation, any_time = float(early.mean()), float(ever.mean())
    return Availability(name, at_creation, any_time - at_creation, 1.0 - any_time)
