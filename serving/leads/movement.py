"""Why a lead's score moved, and what would move it: read what it takes, then ask ``serving.explain``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from features import clock
from features.contracts.records import LeadRecord
from features.taxonomy import OTHER
from serving.champion import Champion, ModelHolder
from serving.errors import AsOfBeforeCreationError
from serving.explain.changes import explain_change
from serving.explain.what_if import NextEvent, list_plausible, score_next_events
from serving.leads.errors import MomentsOutOfOrderError, NotScoredYetError, UnknownKindError
from serving.leads.queries import FoundLead
from serving.leads.schemas import (
    ChangePart,
    Changes,
    NextEventIn,
    OutcomeOut,
    ScoredMoment,
    WhatIf,
)
from serving.scoring.answers import cut_points
from serving.scoring.lead_histories import read_record_as_of
from serving.scoring.live.stored_scores import find_stored_at, list_stored
from serving.scoring.models_in_use import ModelCache
from serving.scoring.replay import find_champion_then
from serving.store.session import UnitOfWork


@dataclass(frozen=True)
class Models:
    """Where the models of now and then are found, for one contract."""

    model_cache: ModelCache
    model_holders: Sequence[ModelHolder]
    contract: str

    def find_then(self, work: UnitOfWork, lead_id: str, moment: datetime) -> Champion:
        """Find the model that spoke, or would have spoken, of a lead at a moment."""
        given = find_stored_at(work, lead_id, self.contract, moment)
        if given is not None:
            return self.model_cache.get(given.model_version, moment)
        return find_champion_then(
            work, self.model_cache, self.model_holders, self.contract, moment
        )


def choose_moments(
    work: UnitOfWork,
    lead: FoundLead,
    contract: str,
    since: datetime | None,
    until: datetime | None,
) -> tuple[datetime, datetime]:
    """Choose the moments to compare: where left out, the latest score and the one before it.

    Raises
    ------
    NotScoredYetError
        If there are no such scores.
    MomentsOutOfOrderError
        If the first is not before the second.
    """
    if since is None or until is None:
        given = [row.as_of for row in list_stored(work, lead.lead_id, contract, None, 200)]
        if until is None:
            if not given:
                raise NotScoredYetError
            until = given[0]
        if since is None:
            before = [as_of for as_of in given if as_of < until]
            if not before:
                raise NotScoredYetError
            since = before[0]
    if since >= until:
        raise MomentsOutOfOrderError
    return since, until


def _read(work: UnitOfWork, champion: Champion, lead: FoundLead, as_of: datetime) -> LeadRecord:
    record = read_record_as_of(work, champion.bundle.catalog, lead.lead_id, as_of)
    if record.created_at >= clock.to_us(as_of):
        created_at = clock.from_us(record.created_at)
        raise AsOfBeforeCreationError(created_at.isoformat(), as_of.isoformat())
    return record


def _shape_moment(
    champion: Champion, as_of: datetime, row: NDArray[np.float32], points: float
) -> ScoredMoment:
    unknown = champion.bundle.find_unknown(row)[0]
    return ScoredMoment(
        as_of=as_of,
        status="scored" if unknown is None else "not_enough_known",
        points=cut_points(points),
        points_uncut=points,
        band=champion.bundle.band_of(cut_points(points)).name,
        model_version=champion.bundle.version,
    )


def explain_changes(
    work: UnitOfWork, models: Models, lead: FoundLead, since: datetime, until: datetime
) -> Changes:
    """Tell why a lead's score moved between two moments.

    Raises
    ------
    AsOfBeforeCreationError, NoModelThenError, ModelGoneError
        If there is nothing to tell of one of the moments.
    """
    before = models.find_then(work, lead.lead_id, since)
    after = models.find_then(work, lead.lead_id, until)
    start, end = _read(work, before, lead, since), _read(work, before, lead, until)
    is_same = before.bundle.catalog == after.bundle.catalog
    moved = explain_change(
        start,
        end,
        clock.to_us(since),
        clock.to_us(until),
        before.bundle,
        after.bundle,
        None if is_same else _read(work, after, lead, until),
    )
    return Changes(
        lead_id=lead.lead_id,
        contract=models.contract,
        before=_shape_moment(before, since, moved.rows[0], moved.points[0]),
        after=_shape_moment(after, until, moved.rows[1], moved.points[1]),
        delta=moved.delta,
        parts=[
            ChangePart(what=p.what, name=p.name, count=p.count, points=p.points, words=p.words)
            for p in moved.parts
        ],
    )


def _read_events(champion: Champion, sent: Sequence[NextEventIn]) -> list[NextEvent]:
    taxonomy = champion.bundle.catalog.taxonomy
    read = [
        NextEvent(taxonomy.kind_of_event(e.kind, None), taxonomy.channel_of(e.channel), e.value)
        for e in sent
    ]
    strange = [i for i, event in enumerate(read) if event.kind == OTHER]
    if strange:
        raise UnknownKindError(strange)
    return read


def compute_what_if(
    work: UnitOfWork,
    champion: Champion,
    lead: FoundLead,
    now: datetime,
    sent: Sequence[NextEventIn] | None,
) -> WhatIf:
    """Tell what next events would do to a lead's score, were they to happen now.

    Raises
    ------
    UnknownKindError
        If the model does not know one of the events.
    """
    bundle = champion.bundle
    # Right after the latest look, if that lies ahead of this clock: all that is known counts.
    as_of = (
        now
        if lead.last_scored_as_of is None
        else max(now, lead.last_scored_as_of + clock.MICROSECOND)
    )
    record = _read(work, champion, lead, as_of)
    events = list_plausible(bundle, record) if sent is None else _read_events(champion, sent)
    base, outcomes = score_next_events(bundle, record, clock.to_us(as_of), events)
    words = {kind.name: kind.one for kind in bundle.catalog.taxonomy.kinds}
    return WhatIf(
        lead_id=lead.lead_id,
        contract=bundle.contract.text,
        as_of=as_of,
        model_version=bundle.version,
        points=cut_points(base),
        points_uncut=base,
        outcomes=[
            OutcomeOut(
                kind=o.event.kind,
                channel=o.event.channel,
                words=words.get(o.event.kind, o.event.kind),
                seen_before=o.seen_before,
                points=cut_points(o.points),
                points_added=o.points_added,
                probability=o.probability,
                band=bundle.band_of(cut_points(o.points)).name,
            )
            for o in outcomes
        ],
    )
