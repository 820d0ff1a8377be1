"""A bundle before there is anything to learn from: the team's points table, marked as not learned."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.catalog.manifest import Catalog
from features.clock import from_us, to_us
from features.compute.offline import Snapshots
from features.compute.vocabulary import learn_catalog
from features.contracts.history import History
from features.kernel.layout import creation_times
from training.bundle import (
    CARD,
    Band,
    Bundle,
    Contract,
    Scale,
    load_bundle,
    seal_bundle,
    write_bundle,
)
from training.card.facts import BAND_EDGES
from training.card.pages import render_card
from training.dataset.moments import build_moments
from training.dataset.open_leads import find_open
from training.dataset.protected import list_left_out
from training.engine import IN_PROCESS
from training.errors import ColdStartError, NoSnapshotsError
from training.estimators.candidates import POINTS
from training.estimators.points import PointsTable, build_points_model, choose_points
from training.reference_profile import ReferenceProfile, build_support, sample_evenly
from training.run.draft import make_draft, place_draft
from training.run.options import RunOptions

KIND = f"{POINTS}, not learned"

FEWEST_FOR_A_RATE = 15
"""Conversions that must have matured before the base rate is taken from the history."""


@dataclass(frozen=True)
class Level:
    """Where the typical lead stands, and who says so."""

    rate: float
    words: str


def find_level(history: History, options: RunOptions, given: float | None) -> Level:
    """Take the base rate that was told, else that of the matured outcomes there are.

    Raises
    ------
    ColdStartError
        If neither tells one.
    """
    if given is not None:
        return Level(given, f"The base rate of {given:.1%} was given, not measured.")
    try:
        moments = build_moments(history, options.outcome, options.grid, seed=options.seed)
    except NoSnapshotsError:
        raise ColdStartError(0, FEWEST_FOR_A_RATE) from None
    positives, all_of_them = int(moments.converted.sum()), len(moments)
    if positives < FEWEST_FOR_A_RATE or positives == all_of_them:
        raise ColdStartError(positives, FEWEST_FOR_A_RATE)
    rate = positives / all_of_them
    return Level(
        rate,
        f"The base rate of {rate:.1%} is that of {all_of_them:,} matured moments ({positives:,}).",
    )


def start_cold(
    history: History,
    options: RunOptions,
    bundles: Path,
    *,
    data_fingerprint: str,
    base_rate: float | None = None,
) -> Bundle:
    """Write a bundle that scores by the points table: ten points double the odds, nothing is fitted.

    Parameters
    ----------
    options
        Its outcome, name, points table and what to drop; the rest is for later training.
    base_rate
        Chance of the typical lead, between 0 and 1; None: that of the history's matured outcomes.

    Raises
    ------
    PointsTableError
        If the table asks what the history cannot answer.
    ColdStartError
        If no base rate is told or known, or no lead is open.
    """
    table = choose_points(options.points)
    level = find_level(history, options, base_rate)
    cut = to_us(history.about.observed_until)
    catalog = learn_catalog(
        history.about.taxonomy,
        [history.leads],
        cut,
        without=_left_out(history, options),
        families=options.families,
    )
    table.check(catalog)
    rows = _score_open(history, options, catalog, cut)
    model = build_points_model(catalog.features, table, rows)
    base_logit = float(logit(level.rate))
    scale = Scale(1.0, base_logit - model.bias, model.bias)
    contract = Contract(
        options.outcome.target.text, options.outcome.horizon_days, options.outcome.words
    )
    scores = scale.scores(model.contributions(rows))
    provenance = {
        "kind": "cold start",
        "data_fingerprint": data_fingerprint,
        # Nothing was learned, so that any lead may judge it against a challenger.
        "seen_until": from_us(int(creation_times(history.leads).min())).isoformat(),
        **options.record(0, cut),
    }
    card = _build_card(history, table, catalog, level, contract)
    draft = make_draft(bundles)
    fingerprint = write_bundle(
        draft,
        name=options.name,
        contract=contract,
        catalog=catalog,
        model=model,
        model_kind=KIND,
        scale=scale,
        bands=tuple(Band(name, edge, 0, None, None, None) for name, edge in BAND_EDGES),
        support=build_support(catalog, rows),
        profile=ReferenceProfile(rows, scores.probability, scores.points),
        provenance=provenance,
    )
    card["model"] = {"name": options.name, "version": fingerprint[:12], "kind": KIND}
    (draft / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (draft / "card.md").write_text(render_card(card), encoding="utf-8")
    seal_bundle(draft)
    return load_bundle(place_draft(draft, bundles / f"{options.name}-{fingerprint[:12]}"))


def _left_out(history: History, options: RunOptions) -> frozenset[str]:
    found = list_left_out(history, options.drop, options.protected, options.allow_protected)
    return options.drop | {one.field for one in found}


def _score_open(
    history: History, options: RunOptions, catalog: Catalog, as_of: int
) -> NDArray[np.float32]:
    """Compute the features of the leads that are open at the end of a history."""
    leads = find_open(history, options.outcome.target, as_of)
    if not len(leads):
        raise ColdStartError(0, 0)
    chosen = leads[sample_evenly(len(leads))]
    asked = Snapshots(chosen, np.full(len(chosen), as_of, np.int64))
    return IN_PROCESS.compute(catalog, history, asked, progress=lambda _: None)


def _build_card(
    history: History,
    table: PointsTable,
    catalog: Catalog,
    level: Level,
    contract: Contract,
) -> dict[str, Any]:
    used, every = len(table.list_rules(catalog)), len(table.rules)
    return {
        "contract": {
            "event": contract.event,
            "horizon_days": contract.horizon_days,
            "text": f"P({contract.text})",
        },
        "chosen": {
            "name": KIND,
            "because": "Too little has matured to learn from: the points are the team's own, "
            "given by hand.",
        },
        "learned": False,
        "warnings": [
            "Nothing here was learned and nothing was measured: that ten points double the odds "
            "is an assumption, and so is every chance. Train as soon as outcomes have matured; a "
            "model is chosen over this table only where it beats it.",
        ],
        "limits": [level.words, f"{used} of {every} rules have a feature in this history."],
        "candidates": [],
        "data": {
            "source": history.about.source,
            "leads": history.leads.num_rows,
            "slices": [],
        },
        "pictures": [],
        "rules": [[rule.feature, rule.words] for rule in table.list_rules(catalog)],
    }
