"""What the background work does for handoffs: decides after scores, sweeps by the minute."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from serving.champion import ModelHolder
from serving.handoff.lifecycle.sweep import (
    SweepContext,
    SweepResult,
    decide_about,
    decide_about_proposed,
    sweep,
)
from serving.scoring.live.score import AfterScores
from serving.scoring.live.stored_scores import StoredScore
from serving.scoring.models_in_use import list_served
from serving.store.deferring import defer
from serving.store.session import Store, UnitOfWork

DECIDE = "baton.decide_leads"
"""The job that decides about leads with new scores: apart from scoring, which it must not slow down."""

SWEEP = "baton.sweep_handoffs"

BANDS = """
SELECT score_number, band FROM score WHERE lead_id = %(lead)s AND contract = %(contract)s
ORDER BY as_of DESC, score_number DESC LIMIT 2
"""


def decide_after(model_holders: Sequence[ModelHolder]) -> AfterScores:
    """Build what has leads decided about once the main champion scored them."""

    def after(work: UnitOfWork, given: Sequence[StoredScore]) -> None:
        served = list_served(model_holders)
        if not given or not served:
            return
        contract = given[0].score.contract
        if contract == served[0].bundle.contract.text:
            leads = [one.score.lead_id for one in given]
            defer(work, DECIDE, {"lead_ids": leads, "contract": contract})

    return after


def _make_sweep_context(
    store: Store, model_holders: Sequence[ModelHolder], contract: str | None, *, unagreed: bool
) -> SweepContext:
    served = list_served(model_holders)
    catalog = served[0].bundle.catalog if served else None
    return SweepContext(store, np.random.default_rng(), catalog, contract, unagreed)


def _find_contract(model_holders: Sequence[ModelHolder]) -> str | None:
    """Find which score decides: that of the main champion, if one is served."""
    served = list_served(model_holders)
    return served[0].bundle.contract.text if served else None


def decide_job(
    store: Store,
    model_holders: Sequence[ModelHolder],
    lead_ids: Sequence[str],
    contract: str,
    now: Callable[[], datetime],
    *,
    unagreed: bool,
) -> SweepResult:
    """Decide about leads that have new scores, and announce bands that changed."""
    at = now()
    with store.work() as work:
        for lead_id in lead_ids:
            _announce_band(work, lead_id, contract, at)
    context = _make_sweep_context(store, model_holders, contract, unagreed=unagreed)
    return decide_about(context, lead_ids, at)


def decide_proposed_job(
    store: Store,
    model_holders: Sequence[ModelHolder],
    now: Callable[[], datetime],
    *,
    unagreed: bool,
) -> SweepResult:
    """Hand over what was only proposed, once a playbook is agreed."""
    context = _make_sweep_context(
        store, model_holders, _find_contract(model_holders), unagreed=unagreed
    )
    return decide_about_proposed(context, now())


def sweep_job(
    store: Store,
    model_holders: Sequence[ModelHolder],
    now: Callable[[], datetime],
    *,
    unagreed: bool,
) -> SweepResult:
    """Do all that time asks for now."""
    contract = _find_contract(model_holders)
    return sweep(_make_sweep_context(store, model_holders, contract, unagreed=unagreed), now())


def _announce_band(work: UnitOfWork, lead_id: str, contract: str, at: datetime) -> None:
    rows = list(work.execute(BANDS, {"lead": lead_id, "contract": contract}))
    if len(rows) < 2 or rows[0][1] == rows[1][1]:
        return
    payload: dict[str, Any] = {
        "lead_id": lead_id,
        "contract": contract,
        "from": rows[1][1],
        "to": rows[0][1],
        "because": _describe_bands(rows[1][1], rows[0][1]),
        "at": at.isoformat(),
    }
    work.enqueue_effect(f"band:{rows[0][0]}", "lead.band_changed", payload, at, lead_id)


def _describe_bands(before: str | None, after: str | None) -> str:
    known = "it had no score" if before is None else f"it was in band {before}"
    return (
        f"It has no score any more; {known}."
        if after is None
        else (f"It is in band {after} now; {known}.")
    )
