"""What a change of model would do to everyone who is open now, before anything changes. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.evaluation.segments import SegmentColumn, fold_small

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TOP_SHARE = 0.10
TOP_CHANGES = 10
FIELDS_SHOWN = 4
"""Business fields told of each lead that moves."""

MOST_GROUPS = 15
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
UNSCORED = "not enough known"
NOBODY = "(nobody yet)"


@dataclass(frozen=True)
class View:
    """How one model sees everyone."""

    points: Floats
    """As people see them, cut to 0-100; NaN where not enough is known."""
    points_uncut: Floats
    probability: Floats
    band: Integers
    """Position in ``bands``; ``len(bands)`` where not enough is known."""
    bands: tuple[str, ...]
    """Best first."""
    typical_probability: float
    """The chance that stands at 50 points."""


@dataclass(frozen=True)
class Everyone:
    """The leads that are open now, one per row of both views."""

    lead_ids: Sequence[str]
    owners: Sequence[str | None]
    """Who acted last on each; None for nobody yet."""
    segments: Sequence[SegmentColumn] = ()


@dataclass(frozen=True, slots=True)
class GroupMoves:
    """How many leads of one segment or owner cross a band."""

    field: str
    name: str
    leads: int
    up: int
    """To a better band, or from not enough known to a score."""
    down: int
    points: float
    """Mean change of the points of leads that both models score; NaN without any."""


@dataclass(frozen=True, slots=True)
class FieldMove:
    """Points of one business field under both models."""

    label: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class TopChange:
    """A lead that moves far, and why."""

    lead_id: str
    owner: str | None
    points_before: float
    points_after: float
    band_before: str
    band_after: str
    probability_before: float
    probability_after: float
    fields: tuple[FieldMove, ...]
    """Whose points change most, first the one that changes most."""

    @property
    def because(self) -> str:
        """Say which facts count differently.

        >>> fields = (FieldMove("pricing pages", 1.0, 6.5), FieldMove("industry", 2.0, -1.0))
        >>> TopChange("L1", None, 50, 56, "C", "B", 0.1, 0.15, fields).because
        'pricing pages +1.0 → +6.5, industry +2.0 → -1.0'
        """
        return ", ".join(f"{f.label} {f.before:+.1f} → {f.after:+.1f}" for f in self.fields)


@dataclass(frozen=True)
class Impact:
    """What would change for everyone who is open now."""

    leads: int
    scored_before: int
    scored_after: int
    typical_before: float
    """The chance that stands at 50 points."""
    typical_after: float
    bands_before: tuple[str, ...]
    """Best first, and at last not enough known."""
    bands_after: tuple[str, ...]
    crossings: tuple[tuple[int, ...], ...]
    """Leads by band before (rows) and after (columns)."""
    up: int
    down: int
    by_segment: tuple[GroupMoves, ...]
    by_owner: tuple[GroupMoves, ...]
    top_size: int
    """Leads in the best tenth of those that the champion scores."""
    top_leaving: int
    """Of them, those that the challenger does not have in its best tenth."""
    quantiles: tuple[float, ...]
    points_before: tuple[float, ...]
    points_after: tuple[float, ...]
    top_changes: tuple[TopChange, ...]

    @property
    def churn(self) -> float:
        """Share of the best tenth that leaves it; NaN without leads."""
        return self.top_leaving / self.top_size if self.top_size else float("nan")

    @property
    def words(self) -> tuple[str, ...]:
        """Say it in sentences."""
        crossed = self.up + self.down
        share = crossed / self.leads if self.leads else 0.0
        return (
            f"{crossed:,} of {self.leads:,} open leads ({share:.1%}) cross a band: {self.up:,} up, "
            f"{self.down:,} down.",
            f"{self.top_leaving:,} of the {self.top_size:,} best leads (a tenth) leave the best "
            "tenth, and as many enter it.",
            f"50 points stand for a chance of {self.typical_after:.1%}, until now "
            f"{self.typical_before:.1%}.",
        )


FieldPoints = Callable[
    [Integers], tuple[Sequence[Mapping[str, float]], Sequence[Mapping[str, float]]]
]
"""Gives, for some rows, the points of each business field before and after."""


def measure_impact(
    everyone: Everyone, before: View, after: View, field_points: FieldPoints
) -> Impact:
    """Measure what changes for everyone.

    Parameters
    ----------
    everyone, before, after
        A row per lead, in one order.
    field_points
        Called once, with the rows of the leads that move most.
    """
    step = find_steps(before, after)
    scored = int(np.isfinite(before.points).sum())
    size = int(np.ceil(TOP_SHARE * scored))
    top = find_top(before.points_uncut, size) & ~find_top(after.points_uncut, size)
    owners = name_owners(everyone.owners)
    return Impact(
        leads=len(step),
        scored_before=scored,
        scored_after=int(np.isfinite(after.points).sum()),
        typical_before=before.typical_probability,
        typical_after=after.typical_probability,
        bands_before=(*before.bands, UNSCORED),
        bands_after=(*after.bands, UNSCORED),
        crossings=count_crossings(before, after),
        up=int((step > 0).sum()),
        down=int((step < 0).sum()),
        by_segment=tuple(
            row
            for column in everyone.segments
            for row in count_groups(column, step, before, after)
        ),
        by_owner=count_groups(owners, step, before, after),
        top_size=size,
        top_leaving=int(top.sum()),
        quantiles=QUANTILES,
        points_before=find_quantiles(before.points),
        points_after=find_quantiles(after.points),
        top_changes=find_top_changes(everyone, before, after, field_points),
    )


def find_steps(before: View, after: View) -> Integers:
    """Find which way each lead crosses: +1 to a better band or to a score, -1 down, 0 stays.

    Bands are told by rank, the best first, whatever their names.
    """
    return np.asarray(np.sign(before.band - after.band), np.int64)


def find_top(points: Floats, size: int) -> NDArray[np.bool_]:
    """Mark the ``size`` highest; of equal ones the earlier rows. Those without points never."""
    ranked = np.argsort(-np.nan_to_num(points, nan=-np.inf), kind="stable")[:size]
    top = np.zeros(len(points), np.bool_)
    top[ranked] = True
    return np.asarray(top & np.isfinite(points))


def count_crossings(before: View, after: View) -> tuple[tuple[int, ...], ...]:
    """Count leads by band before (rows) and after (columns), not enough known last."""
    wide = len(after.bands) + 1
    cells = np.bincount(before.band * wide + after.band, minlength=(len(before.bands) + 1) * wide)
    return tuple(tuple(int(n) for n in row) for row in cells.reshape(-1, wide))


def name_owners(owners: Sequence[str | None]) -> SegmentColumn:
    """Turn owners into a column to slice by."""
    names = sorted({owner or NOBODY for owner in owners})
    place = {name: position for position, name in enumerate(names)}
    return SegmentColumn("owner", np.array([place[owner or NOBODY] for owner in owners]), names)


def count_groups(
    column: SegmentColumn, step: Integers, before: View, after: View
) -> tuple[GroupMoves, ...]:
    """Count who crosses a band in each group of one field, the largest groups first."""
    if not len(step):
        return ()
    codes, names = fold_small(column, len(step), MOST_GROUPS, 1)
    change = after.points - before.points
    both = np.isfinite(change)
    rows = []
    for code, name in enumerate(names):
        own = codes == code
        if not own.any():
            continue
        mean = float(change[own & both].mean()) if (own & both).any() else float("nan")
        up, down = int((step[own] > 0).sum()), int((step[own] < 0).sum())
        rows.append(GroupMoves(column.field, name, int(own.sum()), up, down, mean))
    return tuple(rows)


def find_quantiles(points: Floats) -> tuple[float, ...]:
    """Find the quantiles of the points of those that are scored; NaN for nobody."""
    known = points[np.isfinite(points)]
    if not len(known):
        return tuple(float("nan") for _ in QUANTILES)
    return tuple(float(q) for q in np.quantile(known, QUANTILES))


def find_top_changes(
    everyone: Everyone, before: View, after: View, field_points: FieldPoints
) -> tuple[TopChange, ...]:
    """Find the leads whose points change most, of those that both models score."""
    change = np.abs(after.points - before.points)
    known = np.flatnonzero(np.isfinite(change))
    rows = known[np.argsort(-change[known], kind="stable")[:TOP_CHANGES]]
    if not len(rows):
        return ()
    fields_before, fields_after = field_points(rows)
    return tuple(
        TopChange(
            lead_id=everyone.lead_ids[row],
            owner=everyone.owners[row],
            points_before=float(before.points[row]),
            points_after=float(after.points[row]),
            band_before=before.bands[before.band[row]],
            band_after=after.bands[after.band[row]],
            probability_before=float(before.probability[row]),
            probability_after=float(after.probability[row]),
            fields=compare_fields(old, new),
        )
        for row, old, new in zip(rows, fields_before, fields_after, strict=True)
    )


def compare_fields(old: Mapping[str, float], new: Mapping[str, float]) -> tuple[FieldMove, ...]:
    """Compare what each business field gives under both models; the largest change first."""
    moves = [
        FieldMove(label, float(old.get(label, 0.0)), float(new.get(label, 0.0)))
        for label in dict.fromkeys([*old, *new])
    ]
    moves.sort(key=lambda move: -abs(move.after - move.before))
    return tuple(moves[:FIELDS_SHOWN])


def build_view(
    points_uncut: ArrayLike,
    probability: ArrayLike,
    band_edges: Sequence[tuple[str, float]],
    typical_probability: float,
) -> View:
    """Build a view from uncut points; NaN where not enough is known.

    Parameters
    ----------
    band_edges
        Name and lower edge of each band in points, best first, the last from ``-inf``.
    """
    uncut = np.asarray(points_uncut, np.float64)
    shown = np.clip(uncut, 0.0, 100.0)
    known = np.isfinite(uncut)
    edges = np.array([edge for _, edge in band_edges])
    band = np.full(len(uncut), len(edges), np.int64)
    band[known] = (shown[known, None] < edges[None, :]).sum(axis=1)
    return View(
        points=shown,
        points_uncut=uncut,
        probability=np.asarray(probability, np.float64),
        band=band,
        bands=tuple(name for name, _ in band_edges),
        typical_probability=typical_probability,
    )
