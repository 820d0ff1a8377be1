"""Packed leads to answers: one compiled pass, one call of the model. No database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features import clock
from features.compute.online import compute_packed_rows
from features.kernel.packed import PackedFacts, PackedLead, read_packed_facts
from serving.champion import Champion
from serving.scoring.answers import Answers, LeadAtMoment, shape_answers
from serving.scoring.lead_warnings import warn_of_standing
from serving.store.packed import encoder_of

KEPT_REASONS = 8
"""Most reasons listed in a score that is kept; the rest is one line."""


@dataclass(frozen=True)
class PackedScores:
    """Scores of packed leads, in the order they were asked."""

    lead_ids: tuple[str, ...]
    answers: Answers
    matrix: NDArray[np.float32]
    as_of_us: NDArray[np.int64]
    facts: tuple[PackedFacts, ...]

    def encode(self, position: int) -> bytes:
        """Encode one answer: the bytes that are kept, and given."""
        return msgspec.json.encode(self.answers.leads[position])


def _read_at(
    champion: Champion, lead_id: str, lead: PackedLead, as_of: int, facts: PackedFacts
) -> LeadAtMoment:
    attributes = champion.bundle.catalog.attributes
    cells = np.frombuffer(lead.version_cells, np.float64).reshape(-1, len(attributes))
    filled: list[bool] = np.atleast_1d(np.isfinite(cells).any(axis=0)).tolist()
    return LeadAtMoment(
        lead_id=lead_id,
        as_of=clock.from_us(as_of),
        created_us=lead.created_at,
        known=frozenset(a.name for a, has in zip(attributes, filled, strict=True) if has),
        has_events=facts.n_events > 0,
        has_stages=bool(facts.moves),
        ignored=[],
        warnings=warn_of_standing(facts.moves, as_of, champion.bundle.contract.event),
    )


def score_packed(
    champion: Champion,
    leads: Mapping[str, PackedLead],
    as_of: Mapping[str, int],
    top: int = KEPT_REASONS,
) -> PackedScores:
    """Score packed leads, each at its own moment.

    Parameters
    ----------
    champion
        The model; the leads are packed by its catalogue.
    leads
        By id; each with its colleagues if the catalogue asks for them.
    as_of
        By id, microseconds since the epoch; after all that is known of the lead.
    top
        Most reasons to list.
    """
    catalog = champion.bundle.catalog
    ids, moments = tuple(leads), [as_of[lead_id] for lead_id in leads]
    matrix = compute_packed_rows(catalog, list(leads.values()), moments)
    encoder = encoder_of(catalog)
    facts = tuple(
        read_packed_facts(encoder, lead, moment)
        for lead, moment in zip(leads.values(), moments, strict=True)
    )
    lead_at = [
        _read_at(champion, lead_id, lead, moment, known)
        for (lead_id, lead), moment, known in zip(leads.items(), moments, facts, strict=True)
    ]
    answers = shape_answers(champion, top, lead_at, matrix, timed=True)
    return PackedScores(ids, answers, matrix, np.array(moments, np.int64), facts)
