"""Score leads: read them, compute their rows, score, explain, and keep the rows for drift."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from features import clock
from features.compute.online import compute_rows
from serving.champion import Champion
from serving.errors import FieldProblem, InvalidBodyError, NoTimingError, RefusedError
from serving.explain.reasons import BASE_POINTS, explain
from serving.http.problems import say_validation_error, shape_refusal
from serving.scoring.batches import find_id
from serving.scoring.log import STATUSES, ScoredLog, ScoredRows
from serving.scoring.records import ReadLead, read_lead
from serving.scoring.schemas import (
    BandOut,
    BaseOut,
    BatchScores,
    LeadIn,
    LeadRefused,
    LeadScore,
    ModelOut,
    ReasonOut,
)
from serving.scoring.shadow import Shadow
from serving.scoring.timing import advise, say_unknown
from serving.scoring.timing_schemas import LeadTiming, TimingOut
from training.bundle import HIGHEST_POINTS, LOWEST_POINTS, Band, Scores, ServedTiming

CHUNK_LEADS = 1_000
"""Leads of a batch scored together: bounds the memory of contributions."""

MOST_VALUES = 1_000_000
"""Values one lead can have at all, its commas counted: more than any true history needs."""

HELP_FIELDS = 6
"""Attributes proposed to a caller whose lead is too little known."""

_AT_BIRTH = (
    "as_of is the very moment the lead was created. Only what was known before as_of counts, and "
    "before its creation next to nothing was."
)


@dataclass(frozen=True)
class Scoring:
    """What a request is scored with."""

    champion: Champion
    log: ScoredLog
    now: datetime
    top: int
    """Most reasons to list."""
    most_leads: int
    most_events: int
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
        raise say_validation_error(error) from None


def _read(lead: LeadIn, scoring: Scoring) -> ReadLead:
    bundle = scoring.champion.bundle
    return read_lead(lead, bundle.catalog, bundle.contract.event, scoring.now, scoring.most_events)


def _shape_band(band: Band) -> BandOut:
    return BandOut(
        name=band.name,
        points_from=band.points_from if np.isfinite(band.points_from) else None,
        predicted=band.predicted,
        observed=band.observed,
        calibration_error=band.calibration_error,
        leads=band.leads,
    )


def _say_help(read: ReadLead, champion: Champion) -> list[str]:
    """Say which facts would let this lead be scored."""
    if read.is_looked_at_birth:
        return ["Give an as_of after created_at, or leave it out to look at the lead now."]
    names = [a.name for a in champion.bundle.catalog.attributes if a.name not in read.known]
    said = []
    if names:
        more = " and others" if len(names) > HELP_FIELDS else ""
        said.append(f"Send more attributes: {', '.join(names[:HELP_FIELDS])}{more}.")
    if not read.record.events:
        said.append("Send the lead's events: what it did or received, and when.")
    if not read.record.stages:
        said.append("Send its stage changes, if there were any.")
    return said


@dataclass(frozen=True)
class _Frame:
    """What all answers of one request share."""

    scoring: Scoring
    model: ModelOut
    base: BaseOut
    bands: tuple[BandOut, ...]
    edges: tuple[float, ...]

    def band_index(self, points: float) -> int:
        return next(i for i, edge in enumerate(self.edges) if points >= edge)

    def answer(self, read: ReadLead, why: str | None) -> LeadScore:
        """Shape the answer to a lead without a score."""
        contract = self.scoring.champion.bundle.contract
        return LeadScore(
            lead_id=read.record.lead_id,
            status="not_enough_known",
            as_of=read.as_of,
            contract=contract.text,
            event=contract.event,
            horizon_days=contract.horizon_days,
            probability=None,
            points=None,
            points_uncut=None,
            band=None,
            expected_amount=None,
            expected_value=None,
            base=self.base,
            sub_scores=None,
            reasons=[],
            why=_AT_BIRTH if read.is_looked_at_birth else why,
            would_help=_say_help(read, self.scoring.champion),
            ignored=read.ignored,
            warnings=read.warnings,
            model=self.model,
        )

    def scored(
        self, read: ReadLead, values: list[float], row: int, scores: Scores, band: int
    ) -> LeadScore:
        """Shape the answer to a lead with a score."""
        contract = self.scoring.champion.bundle.contract
        points_uncut = float(scores.points[row])
        amount = None if scores.amounts is None else float(scores.amounts[row])
        explained = explain(
            self.scoring.champion.explainer,
            values,
            scores.reasons[row].tolist(),
            points_uncut,
            self.scoring.top,
        )
        return LeadScore(
            lead_id=read.record.lead_id,
            status="scored",
            as_of=read.as_of,
            contract=contract.text,
            event=contract.event,
            horizon_days=contract.horizon_days,
            probability=float(scores.probability[row]),
            points=_cut(points_uncut),
            points_uncut=points_uncut,
            band=self.bands[band],
            expected_amount=amount,
            expected_value=None if amount is None else amount * float(scores.probability[row]),
            base=self.base,
            sub_scores=explained.sub_scores,
            reasons=[
                ReasonOut(r.field, r.label, r.sub_score, r.points, r.direction, r.words)
                for r in explained.reasons
            ],
            why=None,
            would_help=[],
            ignored=read.ignored,
            warnings=read.warnings,
            model=self.model,
        )


def _cut(points: float) -> float:
    return min(max(points, LOWEST_POINTS), HIGHEST_POINTS)


def _frame(scoring: Scoring) -> _Frame:
    bundle = scoring.champion.bundle
    return _Frame(
        scoring,
        ModelOut(bundle.name, bundle.version),
        BaseOut(BASE_POINTS, bundle.base_probability),
        tuple(_shape_band(band) for band in bundle.bands),
        tuple(band.points_from for band in bundle.bands),
    )


def compute_reads(champion: Champion, reads: Sequence[ReadLead]) -> NDArray[np.float32]:
    """Compute a row of features for each lead that was read."""
    as_of_us = [clock.to_us(read.as_of) for read in reads]
    return compute_rows(champion.bundle.catalog, [read.record for read in reads], as_of_us)


def score_reads(
    scoring: Scoring, reads: Sequence[ReadLead], matrix: NDArray[np.float32] | None = None
) -> list[LeadScore]:
    """Score leads that were read, and log their rows.

    Parameters
    ----------
    matrix : ndarray of shape (n_leads, n_features), float32, optional
        Their features, where they are computed already.

    Returns
    -------
    list of LeadScore
        In the order of the leads.
    """
    if not reads:
        return []
    bundle, frame = scoring.champion.bundle, _frame(scoring)
    as_of_us = [clock.to_us(read.as_of) for read in reads]
    if matrix is None:
        matrix = compute_reads(scoring.champion, reads)
    unknown = bundle.find_unknown(matrix)
    scorable = np.array([why is None for why in unknown])
    scores = bundle.score(matrix[scorable])
    answers, bands = [], np.full(len(reads), -1, np.int8)
    row = 0
    for position, (read, why) in enumerate(zip(reads, unknown, strict=True)):
        if why is not None:
            answers.append(frame.answer(read, why))
            continue
        # By the score people see, so that a band never contradicts the number beside it.
        bands[position] = frame.band_index(_cut(float(scores.points[row])))
        answers.append(
            frame.scored(read, matrix[position].tolist(), row, scores, int(bands[position]))
        )
        row += 1
    _log_rows(scoring, matrix, np.array(as_of_us, np.int64), scorable, bands, scores)
    return answers


def _log_rows(
    scoring: Scoring,
    matrix: NDArray[np.float32],
    as_of_us: NDArray[np.int64],
    scorable: NDArray[np.bool_],
    bands: NDArray[np.int8],
    scores: Scores,
) -> None:
    bundle = scoring.champion.bundle
    probability, points = np.full(len(matrix), np.nan), np.full(len(matrix), np.nan)
    probability[scorable], points[scorable] = scores.probability, scores.points
    scored, not_enough = (STATUSES.index(name) for name in ("scored", "not_enough_known"))
    scoring.log.add(
        ScoredRows(
            version=bundle.version,
            names=bundle.catalog.names,
            bands=tuple(band.name for band in bundle.bands),
            scored_at=scoring.now,
            matrix=matrix,
            as_of_us=as_of_us,
            status=np.where(scorable, scored, not_enough).astype(np.int8),
            band=bands,
            probability=probability,
            points=points,
        )
    )


def score_one(scoring: Scoring, lead: LeadIn) -> LeadScore:
    """Score one lead.

    Raises
    ------
    RefusedError
        If the lead does not fit the model or itself.
    """
    read = _read(lead, scoring)
    row = compute_reads(scoring.champion, [read])
    answers = score_reads(scoring, [read], row)
    _shade(scoring, [lead], answers)
    served = scoring.champion.bundle.timing
    if served is None:
        return answers[0]
    return replace(answers[0], timing=_time(scoring.champion, served, read, row))


def _time(
    champion: Champion, served: ServedTiming, read: ReadLead, row: NDArray[np.float32]
) -> TimingOut:
    why = _AT_BIRTH if read.is_looked_at_birth else champion.bundle.find_unknown(row)[0]
    if why is not None:
        return say_unknown(served, why)
    return advise(served, champion.explainer, row, read.as_of)


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
    timing = _time(scoring.champion, bundle.timing, read, row)
    return LeadTiming(
        read.record.lead_id,
        read.as_of,
        timing,
        read.ignored,
        read.warnings,
        bundle.name,
        bundle.version,
    )


def _shade(scoring: Scoring, leads: Sequence[LeadIn], answers: Sequence[LeadScore]) -> None:
    """Let the challenger score the same leads, later and for the log only."""
    if scoring.shadow is not None:
        scoring.shadow.add(scoring.champion, leads, answers, scoring.now)


def score_batch(scoring: Scoring, raw_leads: Sequence[msgspec.Raw]) -> BatchScores:
    """Score many leads; one that cannot be read gets its problem, the others their score."""
    answers: list[LeadScore | LeadRefused] = []
    for start in range(0, len(raw_leads), CHUNK_LEADS):
        answers += _score_chunk(scoring, raw_leads[start : start + CHUNK_LEADS])
    counts = dict.fromkeys((*STATUSES, "invalid"), 0)
    for answer in answers:
        counts[answer.status] += 1
    return BatchScores(counts, answers)


def _score_chunk(
    scoring: Scoring, raw_leads: Sequence[msgspec.Raw]
) -> list[LeadScore | LeadRefused]:
    leads: list[LeadIn] = []
    reads: list[ReadLead] = []
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
    _shade(scoring, leads, answers)
    scored = iter(answers)
    return [refused[i] if i in refused else next(scored) for i in range(len(raw_leads))]
