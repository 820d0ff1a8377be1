"""Rows of features to answers: score, band, reasons; or why there is no score. Pure.

One shape for every way a lead comes to be scored: sent along, live from its packed history, or as of
a past moment from its rows. So the same records give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from features import clock
from serving.champion import Champion
from serving.explain.reasons import BASE_POINTS, explain
from serving.scoring.schemas import BandOut, BaseOut, LeadScore, ModelOut, ReasonOut
from serving.scoring.timing import advise, describe_unknown
from serving.scoring.timing_schemas import TimingOut
from training.bundle import HIGHEST_POINTS, LOWEST_POINTS, Band, Scores, ServedTiming

HELP_FIELDS = 6
"""Attributes proposed to a caller whose lead is too little known."""

AT_BIRTH = (
    "as_of is the very moment the lead was created. Only what was known before as_of counts, and "
    "before its creation next to nothing was."
)
"""Said of a lead that is looked at in the moment of its creation."""


@dataclass(frozen=True, slots=True)
class LeadAtMoment:
    """What an answer says of a lead beside its score."""

    lead_id: str
    as_of: datetime
    created_us: int
    known: frozenset[str]
    """Attributes of the catalogue that have a value."""
    has_events: bool
    has_stages: bool
    ignored: list[str]
    warnings: list[str]

    @property
    def is_at_birth(self) -> bool:
        """Whether ``as_of`` is the moment of creation, before which nothing can be known."""
        return clock.to_us(self.as_of) == self.created_us


@dataclass(frozen=True)
class Answers:
    """Answers in the order of the leads, and what they were made of."""

    leads: list[LeadScore]
    scorable: NDArray[np.bool_]  # (n_leads,)
    bands: NDArray[np.int8]  # (n_leads,) position of the band, -1 for none
    scores: Scores  # of the scorable ones


def cut_points(points: float) -> float:
    """Cut points to the range people see."""
    return min(max(points, LOWEST_POINTS), HIGHEST_POINTS)


def _shape_band(band: Band) -> BandOut:
    return BandOut(
        name=band.name,
        points_from=band.points_from if np.isfinite(band.points_from) else None,
        predicted=band.predicted,
        observed=band.observed,
        calibration_error=band.calibration_error,
        leads=band.leads,
    )


def _describe_help(lead_at: LeadAtMoment, champion: Champion) -> list[str]:
    """Say which facts would let this lead be scored."""
    if lead_at.is_at_birth:
        return ["Give an as_of after created_at, or leave it out to look at the lead now."]
    names = [a.name for a in champion.bundle.catalog.attributes if a.name not in lead_at.known]
    sentences = []
    if names:
        more = " and others" if len(names) > HELP_FIELDS else ""
        sentences.append(f"Send more attributes: {', '.join(names[:HELP_FIELDS])}{more}.")
    if not lead_at.has_events:
        sentences.append("Send the lead's events: what it did or received, and when.")
    if not lead_at.has_stages:
        sentences.append("Send its stage changes, if there were any.")
    return sentences


@dataclass(frozen=True)
class _Frame:
    """What all answers of one pass share."""

    champion: Champion
    top: int
    model: ModelOut
    base: BaseOut
    bands: tuple[BandOut, ...]
    edges: tuple[float, ...]

    def band_index(self, points: float) -> int:
        return next(i for i, edge in enumerate(self.edges) if points >= edge)

    def unknown(self, lead_at: LeadAtMoment, why: str) -> LeadScore:
        """Shape the answer to a lead without a score."""
        contract = self.champion.bundle.contract
        return LeadScore(
            lead_id=lead_at.lead_id,
            status="not_enough_known",
            as_of=lead_at.as_of,
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
            why=AT_BIRTH if lead_at.is_at_birth else why,
            would_help=_describe_help(lead_at, self.champion),
            ignored=lead_at.ignored,
            warnings=lead_at.warnings,
            model=self.model,
        )

    def scored(
        self, lead_at: LeadAtMoment, values: list[float], row: int, scores: Scores, band: int
    ) -> LeadScore:
        """Shape the answer to a lead with a score."""
        contract = self.champion.bundle.contract
        points_uncut = float(scores.points[row])
        amount = None if scores.amounts is None else float(scores.amounts[row])
        explained = explain(
            self.champion.explainer, values, scores.reasons[row].tolist(), points_uncut, self.top
        )
        return LeadScore(
            lead_id=lead_at.lead_id,
            status="scored",
            as_of=lead_at.as_of,
            contract=contract.text,
            event=contract.event,
            horizon_days=contract.horizon_days,
            probability=float(scores.probability[row]),
            points=cut_points(points_uncut),
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
            ignored=lead_at.ignored,
            warnings=lead_at.warnings,
            model=self.model,
        )


def _frame(champion: Champion, top: int) -> _Frame:
    bundle = champion.bundle
    return _Frame(
        champion,
        top,
        ModelOut(bundle.name, bundle.version),
        BaseOut(BASE_POINTS, bundle.base_probability),
        tuple(_shape_band(band) for band in bundle.bands),
        tuple(band.points_from for band in bundle.bands),
    )


def shape_answers(
    champion: Champion,
    top: int,
    leads: Sequence[LeadAtMoment],
    matrix: NDArray[np.float32],
    *,
    timed: bool = False,
) -> Answers:
    """Score rows and put the scores into answers.

    Parameters
    ----------
    champion
        The model that scores.
    top
        Most reasons to list.
    leads
        Whose rows these are.
    matrix : ndarray of shape (n_leads, n_features), float32
        By the champion's catalogue.
    timed
        Whether to say when to hand each lead off, if the model knows.
    """
    bundle, frame = champion.bundle, _frame(champion, top)
    unknown = bundle.find_unknown(matrix)
    scorable = np.array([why is None for why in unknown])
    scores = bundle.score(matrix[scorable])
    answers, bands = [], np.full(len(leads), -1, np.int8)
    row = 0
    for position, (lead_at, why) in enumerate(zip(leads, unknown, strict=True)):
        if why is not None:
            answers.append(frame.unknown(lead_at, why))
            continue
        # By the score people see, so that a band never contradicts the number beside it.
        band = frame.band_index(cut_points(float(scores.points[row])))
        answers.append(frame.scored(lead_at, matrix[position].tolist(), row, scores, band))
        bands[position] = band
        row += 1
    shaped = Answers(answers, scorable, bands, scores)
    if not timed or bundle.timing is None:
        return shaped
    timings = time_answers(champion, bundle.timing, shaped, matrix)
    with_timing = [replace(a, timing=t) for a, t in zip(answers, timings, strict=True)]
    return replace(shaped, leads=with_timing)


def time_answers(
    champion: Champion, served: ServedTiming, answers: Answers, matrix: NDArray[np.float32]
) -> list[TimingOut]:
    """Say when to hand off each lead that was answered, from the same rows."""
    known = np.flatnonzero(answers.scorable).tolist()
    moments = [answers.leads[position].as_of for position in known]
    advised = advise(served, champion.explainer, matrix[known], moments) if known else []
    by_position = dict(zip(known, advised, strict=True))
    return [
        by_position.get(position) or describe_unknown(served, answer.why or "")
        for position, answer in enumerate(answers.leads)
    ]
