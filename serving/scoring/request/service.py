"""Score leads: read them, compute their rows, score, explain, and keep the rows for drift."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from features import clock
from features.compute.online import compute_rows
from serving.champion import Champion
from serving.errors import FieldProblem, InvalidBodyError, NoTimingError, RefusedError
from serving.scoring.answers import (
    LeadAtMoment,
    shape_answers,
    time_answers,
)
from serving.scoring.request.batches import find_id
from serving.scoring.request.records import ScorableLead, read_lead
from serving.scoring.request.shadow import Shadow
from serving.scoring.row_buffer import RowBuffer
from serving.scoring.schemas import BatchScores, LeadIn, LeadRefused, LeadScore
from serving.scoring.scored_rows import ScoredRows, ScoreTally
from serving.scoring.timing_schemas import LeadTiming
from serving.web_api.problems import describe_validation_error, shape_refusal

CHUNK_LEADS = 1_000
"""Leads of a batch scored together: bounds the memory of contributions."""

MOST_VALUES = 1_000_000
"""Values one lead can have at all, its commas counted: more than any true history needs."""


@dataclass(frozen=True)
class Scoring:
    """What a request is scored with."""

    champion: Champion
    now: datetime
    top: int
    """Most reasons to list."""
    most_leads: int
    most_events: int
    tally: ScoreTally = field(default_factory=ScoreTally)
    rows: RowBuffer[ScoredRows] | None = None
    """Takes the rows to the store, for drift; None without a store."""
    shadow: Shadow | None = None
    """Who else scores what was asked, where nobody sees it."""


def read_body(body: bytes) -> LeadIn:
    """Read one lead from JSON.

    Raises
    ------
    InvalidBodyError
        Listing what is wrong, field by field.
    """
    # Before it is read at all: the values of a body of commas would fill the memory.
    if body.count(b",") > MOST_VALUES:
        fix = "Leave out the oldest events."
        problem = f"the lead has more than {MOST_VALUES:,} values"
        raise InvalidBodyError((FieldProblem("", problem, fix),))
    try:
        return LeadIn.model_validate_json(body)
    except ValidationError as error:
        raise describe_validation_error(error) from None


def _read(lead: LeadIn, scoring: Scoring) -> ScorableLead:
    bundle = scoring.champion.bundle
    return read_lead(lead, bundle.catalog, bundle.contract.event, scoring.now, scoring.most_events)


def compute_reads(champion: Champion, reads: Sequence[ScorableLead]) -> NDArray[np.float32]:
    """Compute a row of features for each lead that was read."""
    as_of_us = [clock.to_us(read.as_of) for read in reads]
    return compute_rows(champion.bundle.catalog, [read.record for read in reads], as_of_us)


def score_reads(
    scoring: Scoring, reads: Sequence[ScorableLead], *, timed: bool = False
) -> list[LeadScore]:
    """Score leads that were read, and have their rows kept.

    Parameters
    ----------
    timed
        Whether to say when to hand each lead off, if the model knows.

    Returns
    -------
    list of LeadScore
        In the order of the leads.
    """
    if not reads:
        return []
    champion = scoring.champion
    matrix, lead_at = compute_reads(champion, reads), [_read_at(read) for read in reads]
    answers = shape_answers(champion, scoring.top, lead_at, matrix, timed=timed)
    scoring.tally.add(answers.leads)
    if scoring.rows is not None:
        version = champion.bundle.version
        scoring.rows.add(ScoredRows(version, scoring.now, matrix, answers.scorable))
    return answers.leads


def _read_at(read: ScorableLead) -> LeadAtMoment:
    return LeadAtMoment(
        read.record.lead_id,
        read.as_of,
        read.record.created_at,
        read.known,
        bool(read.record.events),
        bool(read.record.stages),
        read.ignored,
        read.warnings,
    )


def score_one(scoring: Scoring, lead: LeadIn) -> LeadScore:
    """Score one lead.

    Raises
    ------
    RefusedError
        If the lead does not fit the model or itself.
    """
    answers = score_reads(scoring, [_read(lead, scoring)], timed=True)
    _shadow_score(scoring, [lead], answers)
    return answers[0]


def time_one(scoring: Scoring, lead: LeadIn) -> LeadTiming:
    """Say when to hand off one lead.

    Raises
    ------
    NoTimingError
        If the model in use does not know.
    RefusedError
        If the lead does not fit the model or itself.
    """
    bundle = scoring.champion.bundle
    if bundle.timing is None:
        raise NoTimingError(bundle.name, bundle.version)
    read = _read(lead, scoring)
    row = compute_reads(scoring.champion, [read])
    answers = shape_answers(scoring.champion, 0, [_read_at(read)], row)
    timing = time_answers(scoring.champion, bundle.timing, answers, row)[0]
    return LeadTiming(
        read.record.lead_id,
        read.as_of,
        timing,
        read.ignored,
        read.warnings,
        bundle.name,
        bundle.version,
    )


def _shadow_score(scoring: Scoring, leads: Sequence[LeadIn], answers: Sequence[LeadScore]) -> None:
    """Let the challenger score the same leads, later and for the log only."""
    if scoring.shadow is not None:
        scoring.shadow.add(scoring.champion, leads, answers, scoring.now)


def score_batch(scoring: Scoring, raw_leads: Sequence[msgspec.Raw]) -> BatchScores:
    """Score many leads; one that cannot be read gets its problem, the others their score."""
    answers: list[LeadScore | LeadRefused] = []
    for start in range(0, len(raw_leads), CHUNK_LEADS):
        answers += _score_chunk(scoring, raw_leads[start : start + CHUNK_LEADS])
    counts = dict.fromkeys(("scored", "not_enough_known", "invalid"), 0)
    for answer in answers:
        counts[answer.status] += 1
    return BatchScores(counts, answers)


def _score_chunk(
    scoring: Scoring, raw_leads: Sequence[msgspec.Raw]
) -> list[LeadScore | LeadRefused]:
    leads: list[LeadIn] = []
    reads: list[ScorableLead] = []
    refused: dict[int, LeadRefused] = {}
    for position, raw in enumerate(raw_leads):
        try:
            lead = read_body(bytes(raw))
            reads.append(_read(lead, scoring))
            leads.append(lead)
        except RefusedError as refusal:
            problem = shape_refusal(refusal)
            refused[position] = LeadRefused(find_id(bytes(raw)), "invalid", problem)
    answers = score_reads(scoring, reads)
    _shadow_score(scoring, leads, answers)
    scored = iter(answers)
    return [refused[i] if i in refused else next(scored) for i in range(len(raw_leads))]
