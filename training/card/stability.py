"""Whether the reasons would be the same had the model met other leads: refits on drawn leads."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.card.business_fields import BusinessFields
from training.card.plots import BLUE, INK, build_figure, save_figure
from training.estimators.classifier import Progress, ignore_progress
from training.models.fit_data import FitData, Model
from training.models.segmented import SegmentedModel

STABILITY_PICTURE = "stability.png"
REFITS = 5
STRONGEST, AMONG = 3, 5
"""A lead's three strongest reasons are looked for among the five strongest of a refit."""

MOST_ROWS = 30_000
"""To fit on. More than this only makes the refits slow: the drawing of leads is what they tell."""

FEWEST_REFITS = 2
"""So many are finished however long they take: one alone says nothing of a spread."""


@dataclass(frozen=True)
class FieldSpread:
    """How far one business field's weight moves from refit to refit."""

    words: str
    points: float
    """Mean absolute points in the model itself."""
    lowest: float
    highest: float
    """The same in the refits: the smallest and the largest."""
    rank: int
    """Of the field in the model itself, from 1."""
    lowest_rank: int
    highest_rank: int


@dataclass(frozen=True)
class Stability:
    """How far reasons stay the same when the model is fitted on other leads of the same market."""

    refits: int
    leads: int
    """Drawn for each refit, with replacement: a drawn lead counts as often as it was drawn."""
    of_leads: int
    """The model itself was fitted on."""
    rows: int
    """Later moments whose reasons were compared."""
    kept: float
    """Share of the strongest reasons that stay among the strongest few of a refit."""
    kept_least: float
    """The same in the refit that disagrees most."""
    kept_by_chance: float
    """The same if the reasons of a refit were drawn from all fields that say anything."""
    same_direction: float
    """Share of the strongest reasons that raise in both, or lower in both."""
    rank_correlation: float
    """Of the fields' mean absolute points, model against refit (Spearman), mean over the refits."""
    fields: tuple[FieldSpread, ...]
    """Strongest first."""

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        return (
            f"The three strongest reasons of a lead stay among its five strongest in "
            f"{self.kept:.0%} of refits on other leads of the same market (by chance "
            f"{self.kept_by_chance:.0%}), and {self.same_direction:.0%} of them keep their "
            "direction."
        ).replace("%", " %")

    def describe(self) -> dict[str, Any]:
        """Shape it for the card."""
        return {"sentence": self.sentence, **asdict(self)}


def resample_leads(train: FitData, rng: np.random.Generator, most: int = MOST_ROWS) -> FitData:
    """Draw as many leads as there are, with replacement; each brings all its rows.

    A lead that is drawn twice becomes two leads, side by side in every order, so that weights by
    lead still hold and its copies fall on the same side of a split (but for one lead, at the edge).
    Where there are more than ``most`` rows, fewer leads are drawn.
    """
    leads, position = np.unique(train.lead_index, return_inverse=True)
    share = min(1.0, most / max(1, len(train.lead_index)))
    drawn = rng.integers(0, len(leads), max(1, round(share * len(leads))))
    times = np.bincount(drawn, minlength=len(leads))
    first_id = np.concatenate([[0], np.cumsum(times)[:-1]])
    take = np.repeat(np.arange(len(position)), times[position])
    copy = np.arange(len(take)) - np.repeat(
        np.cumsum(times[position]) - times[position], times[position]
    )
    return replace(
        train,
        rows=train.rows[take],
        converted=train.converted[take],
        created_at=train.created_at[take],
        lead_index=np.asarray(first_id[position[take]] + copy, np.int64),
    )


def measure_stability(
    model: Model,
    fit: Callable[[FitData], Model],
    train: FitData,
    rows: NDArray[np.float32],
    fields: BusinessFields,
    *,
    rng: np.random.Generator,
    points_per_margin: float,
    refits: int = REFITS,
    seconds: float = 8.0,
    progress: Progress = ignore_progress,
) -> Stability:
    """Refit on drawn leads and compare the reasons of the same later rows with the model's own.

    A refit sees about 63 % of the leads, so it differs from the model by more than another market
    of the same size would make it: the figures err on the safe side.

    Parameters
    ----------
    model
        The one in the bundle: its reasons are those that people are shown. Of one with models of
        segments, the model for everyone is measured.
    fit
        See `FittedModel.refit`.
    train
        What the model was fitted on.
    rows : ndarray of shape (n_rows, n_features), float32
        Later rows, which no fit saw.
    points_per_margin
        Points that one unit of margin gives: ``POINTS_PER_LOGIT * scale.slope``.
    seconds
        No refit is begun after so long, but for the first two.
    """
    if isinstance(model, SegmentedModel):
        model = model.everyone
    own = points_per_margin * fields.fold(model.contributions(rows))
    others, leads = [], 0
    begun = time.monotonic()
    for done in range(refits):
        if done >= FEWEST_REFITS and time.monotonic() - begun > seconds:
            break
        drawn = resample_leads(train, rng)
        leads = len(np.unique(drawn.lead_index))
        refit = fit(drawn)
        others.append(points_per_margin * fields.fold(refit.contributions(rows)))
        progress((done + 1) / refits)
    progress(1.0)
    of_leads = len(np.unique(train.lead_index))
    return compare_reasons(own, others, fields.words, leads, of_leads)


def compare_reasons(
    own: NDArray[np.float64],
    others: list[NDArray[np.float64]],
    words: tuple[str, ...],
    leads: int,
    of_leads: int,
) -> Stability:
    """Compare reasons by field, (n_rows, n_fields) in points, of one model with those of others.

    Reasons of nothing (zero points) are no reasons: a lead may have fewer than three.
    """
    top = _strongest(own, STRONGEST)
    kept, same = [], []
    for other in others:
        still = top & _strongest(other, AMONG)
        kept.append(_share(still, top))
        same.append(_share(top & (np.sign(other) == np.sign(own)), top))
    strength = np.abs(own).mean(axis=0)
    each = np.stack([np.abs(other).mean(axis=0) for other in others])
    moves_ = np.abs(np.stack([own, *others])).max(axis=(0, 1)) > 0
    return Stability(
        refits=len(others),
        leads=leads,
        of_leads=of_leads,
        rows=len(own),
        kept=float(np.mean(kept)),
        kept_least=min(kept),
        kept_by_chance=min(1.0, AMONG / max(1, int(moves_.sum()))),
        same_direction=float(np.mean(same)),
        rank_correlation=float(np.mean([_spearman(strength, other) for other in each])),
        fields=_spreads(words, strength, each),
    )


def _strongest(reasons: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    """Mark each row's n largest reasons by size; the first of equals."""
    size = np.abs(reasons)
    order = np.argsort(-size, axis=1, kind="stable")[:, :n]
    mark = np.zeros(reasons.shape, np.bool_)
    np.put_along_axis(mark, order, values=True, axis=1)
    return np.asarray(mark & (size > 0), np.bool_)


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / max(1, int(whole.sum())))


def _ranks(strength: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank fields from 1, the strongest first."""
    ranks = np.empty(len(strength), np.int64)
    ranks[np.argsort(-strength, kind="stable")] = np.arange(1, len(strength) + 1)
    return ranks


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(one), rankdata(other)
    if min(np.ptp(ranks[0]), np.ptp(ranks[1])) == 0:
        return float("nan")  # no order to agree on
    return float(np.corrcoef(*ranks)[0, 1])


def _spreads(
    words: tuple[str, ...], strength: NDArray[np.float64], each: NDArray[np.float64]
) -> tuple[FieldSpread, ...]:
    rank, ranks = _ranks(strength), np.stack([_ranks(other) for other in each])
    spreads = [
        FieldSpread(
            words[at],
            float(strength[at]),
            float(each[:, at].min()),
            float(each[:, at].max()),
            int(rank[at]),
            int(ranks[:, at].min()),
            int(ranks[:, at].max()),
        )
        for at in np.argsort(rank)
    ]
    return tuple(spread for spread in spreads if max(spread.points, spread.highest) > 0)


def write_stability_plot(path: Path, stability: Stability, shown: int = 15) -> None:
    """Draw the business fields' weight with its range over the refits, and write the PNG."""
    spreads = stability.fields[:shown][::-1]
    figure, axes = build_figure(
        "Contributions to the score over refits",
        f"mean size of each reason; lines: from the least to the most in {stability.refits} refits "
        "on other leads",
    )
    points = np.array([spread.points for spread in spreads])
    low = np.array([spread.lowest for spread in spreads])
    high = np.array([spread.highest for spread in spreads])
    axes.barh([spread.words for spread in spreads], points, color=BLUE, height=0.6, alpha=0.55)
    axes.hlines(range(len(spreads)), low, high, color=INK, linewidth=2.2)
    axes.set_xlabel("points, up or down")
    axes.grid(visible=False, axis="y")
    save_figure(figure, path)
