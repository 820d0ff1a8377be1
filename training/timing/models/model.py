"""What a handoff now, and waiting, are worth to a lead: a fitted model, read from plain text.

A `TimingModel` is pure: rows of features in, numbers out, no LightGBM, no clock, no file. It is
fitted by `training.timing.fit` and travels as texts (`texts`, `read_timing_model`). Its face:

- ``advise(rows)`` gives a `Timing`: P(accept), P(SQL) and value of a handoff now, value of waiting,
  advantage, and an interval of the advantage; all of shape ``(n_rows,)``.
- ``reasons(rows)`` gives what each feature adds to the advantage: base ``(n_rows,)`` and reasons
  ``(n_rows, n_features)``, which add up to it exactly.
- ``curve(rows, days)`` gives a `Curve` of shape ``(n_rows, n_days)``: value and P(SQL) if committed
  to a handoff in k days, and the chance that the moment comes within k days.

- ``enough``, ``because`` and ``threshold``: with too few handoffs, or where timing brings no more
  along the log, a threshold of P(SQL) is the honest answer (`training.timing.fit`); ``is_now``
  tells whose moment has come by whichever decides.

``rows`` is float32 of shape ``(n_rows, n_features)`` in the order of the catalogue it was fitted
with. Values are in the unit of the prices. With ``G`` the value of a handoff now, ``C`` that of
waiting and λ the shadow price of the sellers' time, the advantage is ``G - C - λ``; λ is inside C
for handoffs that come later. The moment has come where P(SQL) is not below ``floor`` and waiting is
not surely better: where the upper end of the advantage's interval is not negative.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.lifecycle.prices import Prices
from training.models.linear import LinearModel
from training.models.odds import sigmoid
from training.models.trees import TreeModel
from training.timing.models.overlap_penalty import compute_overlap_penalty

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

EXTRAS = ("hand_raised", "answer_days", "handoffs_waiting")
"""Columns after the features: known only of a handoff that was made, set when we ask."""

ANSWER_DAYS = -2
"""Where among the columns the days until the answer stand."""

MOST_DELAY_DAYS = 14.0
"""Longer waits for an answer are learned as this long."""

CURVE_DAYS = 30
"""How far the curve looks."""

LEVEL = 0.8
"""Of the interval of the advantage."""

NORMAL_QUANTILE = 1.2815515655446004
"""Of the level, both sides."""


def average(values: Sequence[Floats]) -> Floats:
    """Average what several say; of one row, `numpy.mean` takes longer than a tree."""
    return np.asarray(sum(values) / len(values))


def has_come(highest: Any, p_sql: Any, floor: float) -> Any:
    """Tell whether the moment has come: a chance of at least the floor, and no surely better day.

    Parameters
    ----------
    highest, p_sql : float or ndarray of shape (n_rows,)
        Upper end of the advantage's interval, and P(SQL) of a handoff now.
    """
    return (highest >= 0.0) & (p_sql >= floor)


def fill_delay(answer_days: Any, promised: float) -> Any:
    """Take the promise for days until an answer that nobody logged, and bound the others."""
    return np.minimum(np.nan_to_num(answer_days, nan=promised), MOST_DELAY_DAYS)


def spread_over(
    p_sql: Floats, spread: tuple[float, ...], spread_edges: tuple[float, ...]
) -> Floats:
    """Give each row the standard error of its tenth of P(SQL); see `TimingModel.spread`."""
    return np.asarray(spread, np.float64)[np.searchsorted(spread_edges, p_sql)]


def add_columns(rows: Rows, *columns: Any) -> Rows:
    """Append columns to rows of features, each an array or one number for all."""
    full = np.empty((len(rows), rows.shape[1] + len(columns)), np.float32)
    full[:, : rows.shape[1]] = rows
    for place, column in enumerate(columns, rows.shape[1]):
        full[:, place] = column
    return full


@dataclass(frozen=True)
class Chance:
    """A chance's log-odds: trees and, where given, a straight line, mixed and then calibrated."""

    trees: TreeModel
    line: LinearModel | None = None
    share: float = 1.0
    """Of the trees."""
    slope: float = 1.0
    offset: float = 0.0
    raised: float = 0.0
    """What a raised hand adds to the log-odds of the trees, which do not split on it first."""
    by_answer_day: float = 0.0
    """What each day until the answer adds, over what trees and line say of it; never above 0."""

    def margins(self, full: Rows) -> Floats:
        """Compute log-odds of rows that carry the extras."""
        mixed = self.share * (self.trees.margins(full) + self.raised * full[:, -len(EXTRAS)])
        if self.line is not None:
            line = self.line.bias + self.line.contributions(full).sum(axis=1)
            mixed = mixed + (1.0 - self.share) * line
        return np.asarray(
            self.offset + self.slope * mixed + self.by_answer_day * full[:, ANSWER_DAYS]
        )

    def contributions(self, full: Rows) -> tuple[float, Floats]:
        """Compute the log-odds' base and what each column adds."""
        bias = self.share * self.trees.bias
        phi = self.share * self.trees.contributions(full)
        phi[:, -len(EXTRAS)] += self.share * self.raised * full[:, -len(EXTRAS)]
        if self.line is not None:
            bias += (1.0 - self.share) * self.line.bias
            phi = phi + (1.0 - self.share) * self.line.contributions(full)
        phi *= self.slope
        phi[:, ANSWER_DAYS] += self.by_answer_day * full[:, ANSWER_DAYS]
        return self.offset + self.slope * bias, phi

    def to_json(self) -> dict[str, Any]:
        """Shape all but the trees."""
        return {
            "line": self.line.to_json() if self.line else None,
            "share": self.share,
            "slope": self.slope,
            "offset": self.offset,
            "raised": self.raised,
            "by_answer_day": self.by_answer_day,
        }

    @staticmethod
    def from_json(trees: TreeModel, entry: Mapping[str, Any]) -> "Chance":
        """Read it back."""
        line = LinearModel.from_json(entry["line"]) if entry["line"] else None
        numbers = {name: entry[name] for name in ("share", "slope", "offset", "raised")}
        # Bundles of before 2026-11-26 do not hold it.
        return Chance(trees, line, **numbers, by_answer_day=entry.get("by_answer_day", 0.0))


@dataclass(frozen=True)
class Family:
    """What one half of the leads teaches."""

    accept: Chance
    sql: Chance
    gain: str
    """Trees that say the value of waiting, less that of a handoff now; LightGBM's text."""


@dataclass(frozen=True)
class Timing:
    """What the model says of each row; arrays of shape (n_rows,), values in the prices' unit."""

    p_accept: Floats
    """That sales accepts a handoff now, by rule, answered as promised."""
    p_sql: Floats
    """That a handoff now becomes an SQL."""
    value_now: Floats
    value_waiting: Floats
    advantage: Floats
    """Of now over waiting, after the shadow price."""
    low: Floats
    """Lower end of the advantage's interval; see `TimingModel.spread`."""
    high: Floats


@dataclass(frozen=True)
class Curve:
    """What comes of committing today to a handoff in so many days; shape (n_rows, n_days)."""

    value: Floats
    """Not the policy: who waits for the moment may do better than any fixed day."""
    p_sql: Floats
    p_moment: Floats
    """That the policy's moment comes within so many days."""


@dataclass(frozen=True)
class CurveModels:
    """What changes over the days ahead, each with the days as its last column."""

    value: TreeModel
    """Value in k days, less that of now."""
    p_sql: TreeModel
    """The same of P(SQL)."""
    moment: TreeModel
    """Log-odds that the moment comes within k days, where it has not come."""


@dataclass(frozen=True)
class TimingModel:
    """A fitted model of the best moment."""

    families: tuple[Family, ...]
    """In pairs: the two halves of one random division of the leads."""
    curves: CurveModels
    columns: tuple[int, ...]
    """Features the trees look at, as columns of the catalogue."""
    n_features: int
    prices: Prices
    shadow_price: float
    """What a handoff takes from others where sellers are few."""
    second_chance: tuple[float, float]
    """Worth, at the handoff, of a lead that comes to nothing but may come back or become an SQL
    by itself: at P(SQL) 0, and what P(SQL) adds."""
    usual_load: float
    """Handoffs waiting for an answer at which we ask."""
    spread: tuple[float, ...]
    """Standard error of the advantage by tenths of P(SQL) among the decision days.

    From the difference of the halves, over all divisions. The interval covers what other leads of
    the same company would have taught (nominally 80 %); it does not cover what the log does not
    hold, such as sellers who see more.
    """
    spread_edges: tuple[float, ...]
    """P(SQL) between those tenths."""
    threshold: float
    """Of P(SQL): where there is too little to learn timing from, or its worth is not proven, a
    lead is handed off from here on. Chosen on the log, by value and by what sales can take."""
    floor: float
    """Of P(SQL): below it no moment has come, whatever the advantage. Few handoffs are made of such
    leads, so what the trees say of them is the least sure; chosen on the log, by value."""
    enough: bool
    """Whether there was enough to learn timing from and it brings more along the log than the
    threshold; else the threshold decides."""
    because: str
    """Why, in a sentence."""
    handed: TreeModel | None = None
    """Log-odds that the log hands over a lead on such a day: P(SQL) is doubted where that is rare,
    see `training.timing.models.overlap_penalty`. None in bundles of before 2026-11-26: nothing is doubted."""
    overlap_penalty: float = 0.0
    """Of days on which every lead is handed over, in log-odds."""

    @cached_property
    def gains(self) -> TreeModel:
        """The trees of all families' gains as one model, whose margin is their sum.

        Walked at once: to begin a walk takes as long as a dozen trees.
        """
        return TreeModel("\n".join(family.gain for family in self.families))

    def advise(self, rows: Rows) -> Timing:
        """Work out the advantage of a handoff now.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features), float32
        """
        own = self._own(rows)
        full = self._as_promised(own)
        accept = average([sigmoid(f.accept.margins(full)) for f in self.families])
        less = (
            0.0
            if self.handed is None
            else compute_overlap_penalty(self.overlap_penalty, self.handed.margins(own))
        )
        sql = average([sigmoid(f.sql.margins(full) - less) for f in self.families])
        gain = self.gains.margins(own) / len(self.families)
        now = pay(self.prices, accept, sql, self.second_chance)
        advantage = -gain - self.shadow_price
        error = NORMAL_QUANTILE * spread_over(sql, self.spread, self.spread_edges)
        return Timing(
            accept, sql, now, now + gain, advantage, advantage - error, advantage + error
        )

    def has_come(self, advice: Timing) -> NDArray[np.bool_]:
        """Tell whose moment has come, by timing; see `has_come`."""
        return np.asarray(has_come(advice.high, advice.p_sql, self.floor))

    def is_now(self, advice: Timing) -> NDArray[np.bool_]:
        """Tell whose moment has come, by timing or, without enough, by the threshold."""
        return self.has_come(advice) if self.enough else np.asarray(advice.p_sql >= self.threshold)

    def reasons(self, rows: Rows) -> tuple[Floats, Floats]:
        """Work out what each feature adds to the advantage, by TreeSHAP.

        Returns
        -------
        base : ndarray of shape (n_rows,)
            Advantage of an average decision day.
        reasons : ndarray of shape (n_rows, n_features)
            ``base + reasons.sum(axis=1)`` is the advantage.
        """
        own, n = self._own(rows), len(self.families)
        base = -self.shadow_price - self.gains.bias / n
        reasons = np.zeros((len(rows), self.n_features))
        reasons[:, self._places] = self.gains.contributions(own) / -n
        return np.full(len(rows), base), reasons

    def curve(
        self, rows: Rows, days: NDArray[np.int64] | None = None, advice: Timing | None = None
    ) -> Curve:
        """Look ahead: what comes of committing to a handoff in k days, and when the moment comes.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features), float32
        days : ndarray of shape (n_days,)
            From today; by default 0 to 30. More than 30 is answered as 30.
        advice
            What `advise` said of the rows, where it was asked already: half of the time.
        """
        days = np.arange(CURVE_DAYS + 1) if days is None else np.asarray(days)
        advice, own = advice or self.advise(rows), self._own(rows)
        shape = (len(rows), len(days))
        ahead = add_columns(np.repeat(own, len(days), axis=0), np.tile(days, len(rows)))
        later = np.broadcast_to(days > 0, shape)
        change = np.where(later, self.curves.value.margins(ahead).reshape(shape), 0.0)
        better = np.where(later, self.curves.p_sql.margins(ahead).reshape(shape), 0.0)
        moment = np.where(later, sigmoid(self.curves.moment.margins(ahead)).reshape(shape), 0.0)
        come = self.is_now(advice)[:, None]
        return Curve(
            value=advice.value_now[:, None] + change,
            p_sql=np.clip(advice.p_sql[:, None] + better, 0.0, 1.0),
            p_moment=np.where(come, 1.0, np.maximum.accumulate(moment, axis=1)),
        )

    def _own(self, rows: Rows) -> Rows:
        return np.ascontiguousarray(rows[:, self._places], np.float32)

    def _as_promised(self, own: Rows) -> Rows:
        return add_columns(own, 0.0, self.prices.promised_delay_days, self.usual_load)

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        return np.array(self.columns, np.int64)

    def texts(self) -> dict[str, str]:
        """Shape the model as texts by file name: LightGBM's own, and one of JSON."""
        by_name: dict[str, str] = {}
        for number, family in enumerate(self.families):
            by_name[f"family-{number}-accept.txt"] = family.accept.trees.text
            by_name[f"family-{number}-sql.txt"] = family.sql.trees.text
            by_name[f"family-{number}-gain.txt"] = family.gain
        for name in CurveModels.__dataclass_fields__:
            by_name[f"curve-{name}.txt"] = getattr(self.curves, name).text
        if self.handed is not None:
            by_name[HANDED_FILE] = self.handed.text
        settings = {
            name: getattr(self, name)
            for name in TimingModel.__dataclass_fields__
            if name not in {"families", "curves", "prices", "handed"}
        }
        chances = [{"accept": f.accept.to_json(), "sql": f.sql.to_json()} for f in self.families]
        entry = {**settings, "prices": asdict(self.prices), "chances": chances}
        return {**by_name, SETTINGS_FILE: json.dumps(entry, indent=1)}


SETTINGS_FILE, HANDED_FILE = "timing.json", "handed.txt"
LISTS = ("columns", "second_chance", "spread", "spread_edges")


def read_timing_model(texts: Mapping[str, str]) -> TimingModel:
    """Read a model back from its texts by file name."""
    entry = json.loads(texts[SETTINGS_FILE])
    chances = entry.pop("chances")

    def read(name: str) -> TreeModel:
        return TreeModel(texts[f"{name}.txt"])

    families = tuple(
        Family(
            Chance.from_json(read(f"family-{number}-accept"), own["accept"]),
            Chance.from_json(read(f"family-{number}-sql"), own["sql"]),
            texts[f"family-{number}-gain.txt"],
        )
        for number, own in enumerate(chances)
    )
    curves = CurveModels(*(read(f"curve-{name}") for name in CurveModels.__dataclass_fields__))
    prices = Prices(**entry.pop("prices"))
    handed = TreeModel(texts[HANDED_FILE]) if HANDED_FILE in texts else None
    # Before 2026-11-26 a caution for noise was taken off every advantage.
    entry["shadow_price"] += entry.pop("caution", 0.0)
    lists: dict[str, Any] = {name: tuple(entry.pop(name)) for name in LISTS}
    return TimingModel(
        families=families, curves=curves, prices=prices, handed=handed, **lists, **entry
    )


def pay(
    prices: Prices, accept: Floats, sql: Floats, second_chance: tuple[float, float] = (0.0, 0.0)
) -> Floats:
    """Give what a handoff pays: its costs, its SQL, and else the lead's second chance."""
    least, more = second_chance
    later = least + more * sql
    return np.asarray(
        -prices.touch - prices.work * accept + prices.sql * sql + (1.0 - sql) * later
    )
