"""What champion and challenger said of the same leads: kept in the store, read back for a comparison."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from serving.champion import Champion
from serving.scoring.answers import cut_points
from serving.scoring.schemas import LeadScore
from serving.store.session import UnitOfWork

KEEP = """
INSERT INTO shadow_score (champion, challenger, as_of, scored_at, champion_points,
    champion_probability, champion_band, challenger_points, challenger_probability, challenger_band)
SELECT * FROM unnest(%(champion)s::text[], %(challenger)s::text[], %(as_of)s::timestamptz[],
    %(scored_at)s::timestamptz[], %(champion_points)s::float8[], %(champion_probability)s::float8[],
    %(champion_band)s::text[], %(challenger_points)s::float8[],
    %(challenger_probability)s::float8[], %(challenger_band)s::text[])
"""
COLUMNS = (
    "shadow_number", "champion", "challenger", "as_of", "scored_at", "champion_points",
    "champion_probability", "champion_band", "challenger_points", "challenger_probability",
    "challenger_band",
)  # fmt: skip
READ = f"""
SELECT {", ".join(COLUMNS)} FROM shadow_score WHERE shadow_number > %(after)s
ORDER BY shadow_number LIMIT %(limit)s
"""  # noqa: S608 - our own columns
ROWS_AT_A_TIME = 10_000


class ModelVerdict(NamedTuple):
    """What one model says of a lead; nothing where not enough is known."""

    points: float | None
    """Uncut."""
    probability: float | None
    band: str | None


NOTHING = ModelVerdict(None, None, None)


@dataclass(frozen=True)
class ShadowScores:
    """What two models say of the same leads at the same moments."""

    champion: str
    """Version of the model."""
    challenger: str
    scored_at: datetime
    as_of: Sequence[datetime]
    by_champion: Sequence[ModelVerdict]
    by_challenger: Sequence[ModelVerdict]

    def __len__(self) -> int:
        return len(self.as_of)


def read_verdict(answer: LeadScore) -> ModelVerdict:
    """Read what an answer says."""
    band = None if answer.band is None else answer.band.name
    return ModelVerdict(answer.points_uncut, answer.probability, band)


def judge(model: Champion, matrix: Any) -> list[ModelVerdict]:
    """Score rows by a model that nobody is answered by.

    Parameters
    ----------
    model
        The challenger.
    matrix : ndarray of shape (n_leads, n_features), float32
        By its own catalogue.
    """
    bundle = model.bundle
    unknown = bundle.find_unknown(matrix)
    known = [position for position, why in enumerate(unknown) if why is None]
    scores = bundle.score(matrix[known])
    verdicts = [NOTHING] * len(unknown)
    for position, points, probability in zip(
        known, scores.points.tolist(), scores.probability.tolist(), strict=True
    ):
        band = bundle.band_of(cut_points(points)).name
        verdicts[position] = ModelVerdict(points, probability, band)
    return verdicts


def keep_shadow_scores(work: UnitOfWork, blocks: Sequence[ShadowScores]) -> None:
    """Keep what both models said."""
    values: dict[str, list[Any]] = {name: [] for name in COLUMNS[1:]}
    for block in blocks:
        for as_of, mine, theirs in zip(
            block.as_of, block.by_champion, block.by_challenger, strict=True
        ):
            row = (block.champion, block.challenger, as_of, block.scored_at, *mine, *theirs)
            for name, cell in zip(COLUMNS[1:], row, strict=True):
                values[name].append(cell)
    work.execute(KEEP, values)


def read_shadow_scores(work: UnitOfWork) -> Iterator[list[Any]]:
    """Read all there is, oldest first, some at a time; rows as in ``COLUMNS``."""
    after = 0
    while rows := work.execute(READ, {"after": after, "limit": ROWS_AT_A_TIME}).all():
        yield rows
        after = rows[-1].shadow_number
