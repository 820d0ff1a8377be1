"""Scores that were given: kept as the very bytes of the answer, read back by lead and moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select

from serving.scoring.schemas import LeadScore
from serving.store.session import UnitOfWork
from serving.store.tables import Score

FORGET_LATEST = """
UPDATE score SET is_latest = false
WHERE is_latest AND contract = %(contract)s AND lead_id = ANY(%(leads)s)
"""
KEEP = """
WITH n AS (
    SELECT * FROM unnest(%(leads)s::text[], %(as_of)s::timestamptz[], %(because)s::text[],
        %(status)s::text[], %(points)s::float8[], %(probability)s::float8[], %(band)s::text[],
        %(answer)s::bytea[], %(features)s::bytea[])
    AS n (lead_id, as_of, because, status, points, probability, band, answer, features)
), stored AS (
    INSERT INTO score (lead_id, contract, as_of, scored_at, because, model_version,
        playbook_version, status, points, probability, band, answer)
    SELECT lead_id, %(contract)s, as_of, %(scored_at)s, because, %(model)s, %(playbook)s, status,
        points, probability, band, answer
    FROM n RETURNING score_number, lead_id
)
INSERT INTO scored_row (score_number, model_version, scored_at, is_scored, features)
SELECT score_number, %(model)s, %(scored_at)s, status = 'scored', features
FROM stored JOIN n USING (lead_id)
"""


@dataclass(frozen=True, slots=True)
class StoredScore:
    """A score and the bytes it is given as."""

    score: LeadScore
    because: str
    answer: bytes
    features: bytes
    """The row it was made of, as ``encode_row`` encodes it."""


def keep_scores(
    work: UnitOfWork,
    stored: Sequence[StoredScore],
    *,
    model_version: str,
    playbook_version: str | None,
    scored_at: datetime,
) -> None:
    """Keep scores of one contract as the latest of their leads, whose locks the caller holds.

    Each with the row of features it was made of: drift is measured on them.
    """
    if not stored:
        return
    scores = [one.score for one in stored]
    leads, contract = [score.lead_id for score in scores], scores[0].contract
    work.execute(FORGET_LATEST, {"contract": contract, "leads": leads})
    work.execute(
        KEEP,
        {
            "contract": contract,
            "scored_at": scored_at,
            "model": model_version,
            "playbook": playbook_version,
            "leads": leads,
            "as_of": [score.as_of for score in scores],
            "because": [one.because for one in stored],
            "status": [score.status for score in scores],
            "points": [score.points for score in scores],
            "probability": [score.probability for score in scores],
            "band": [None if score.band is None else score.band.name for score in scores],
            "answer": [one.answer for one in stored],
            "features": [one.features for one in stored],
        },
    )


def find_latest(work: UnitOfWork, lead_id: str, contract: str) -> Score | None:
    """Find a lead's latest score."""
    asked = select(Score).where(
        Score.lead_id == lead_id, Score.contract == contract, Score.is_latest
    )
    return work.session.scalars(asked).first()


def find_stored_at(work: UnitOfWork, lead_id: str, contract: str, as_of: datetime) -> Score | None:
    """Find the score that was given as of exactly this moment."""
    asked = select(Score).where(
        Score.lead_id == lead_id, Score.contract == contract, Score.as_of == as_of
    )
    return work.session.scalars(asked.order_by(Score.score_number.desc()).limit(1)).first()


def list_stored(
    work: UnitOfWork, lead_id: str, contract: str | None, before: int | None, limit: int
) -> Sequence[
    Row[tuple[int, str, datetime, datetime, str, str, str | None, str, float, float, str]]
]:
    """List a lead's scores, newest first, without their answers."""
    asked = select(
        Score.score_number,
        Score.contract,
        Score.as_of,
        Score.scored_at,
        Score.because,
        Score.model_version,
        Score.playbook_version,
        Score.status,
        Score.points,
        Score.probability,
        Score.band,
    ).where(Score.lead_id == lead_id)
    if contract is not None:
        asked = asked.where(Score.contract == contract)
    if before is not None:
        asked = asked.where(Score.score_number < before)
    return work.session.execute(asked.order_by(Score.score_number.desc()).limit(limit)).all()  # type: ignore[return-value]
