"""What a caller should know about the lead that was sent: said once, in words. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from features.catalog.manifest import Catalog
from features.contracts.records import EventRecord, LeadVersion, StageRecord
from features.lifecycle.replay import StageChange, standing_at
from features.lifecycle.stages import Stage, funnel_position
from features.lifecycle.targets import find_target
from features.taxonomy import OTHER, Taxonomy
from serving.scoring.schemas import EventIn, LeadIn

NAMES_LISTED = 5
"""Unknown names repeated in a warning, at most."""

PRESENT = timedelta(days=1)
"""Up to this long ago the attributes of today are taken for those of then in silence."""


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _listed(strange: Sequence[str]) -> str:
    """List words once each, the first few of them."""
    words = list(dict.fromkeys(strange))
    more = ", ..." if len(words) > NAMES_LISTED else ""
    return ", ".join(repr(word) for word in words[:NAMES_LISTED]) + more


def warn_of_moment(lead: LeadIn, as_of: datetime, now: datetime, *, has_facts: bool) -> list[str]:
    """Say what the moment of looking means for what was sent."""
    if as_of > now:
        return ["as_of is in the future: what happens until then is not known yet."]
    if now - as_of > PRESENT and has_facts and "versions" not in lead.model_fields_set:
        return [
            "as_of is in the past: the attributes are taken as known then. If some became known "
            "later, send them in versions; send an empty list if none did."
        ]
    return []


def warn_of_repeats(n_repeats: int) -> list[str]:
    """Say how many events were sent more than once."""
    if not n_repeats:
        return []
    return [
        f"{_count(n_repeats, 'event repeats', 'events repeat')} the event_id of another; each id "
        "counts once."
    ]


def warn_of_unknown_names(
    sent: Sequence[EventIn], read: Sequence[EventRecord], taxonomy: Taxonomy
) -> list[str]:
    """Say which names count as other because nobody told what they mean."""
    strange = [e.kind or e.name or "" for e, r in zip(sent, read, strict=True) if r.kind == OTHER]
    meant = _names_of_other(taxonomy)
    strange = [name for name in strange if name.strip().casefold() not in meant]
    if not strange:
        return []
    return [
        f"{_count(len(strange), 'event has a name', 'events have names')} the taxonomy does not "
        f"know and {'counts' if len(strange) == 1 else 'count'} as other: {_listed(strange)}."
    ]


def _names_of_other(taxonomy: Taxonomy) -> frozenset[str]:
    kind = taxonomy.kinds[-1]
    return frozenset(name.strip().casefold() for name in (kind.name, *kind.names))


def warn_of_unknown_reasons(stages: Sequence[StageRecord], taxonomy: Taxonomy) -> list[str]:
    """Say which reasons of returns count as other because nobody told what they mean."""
    returned = [m.reason or "" for m in stages if m.stage == Stage.RETURNED]
    strange = [why for why in returned if why.strip() and taxonomy.find_reason(why) is None]
    if not strange:
        return []
    return [
        f"{_count(len(strange), 'return has a reason', 'returns have reasons')} the model does not "
        f"know and {'counts' if len(strange) == 1 else 'count'} as other: {_listed(strange)}."
    ]


def warn_of_future(
    events: Sequence[EventRecord],
    stages: Sequence[StageRecord],
    versions: Sequence[LeadVersion],
    as_of: int,
) -> list[str]:
    """Say how much lies after the moment of looking.

    Parameters
    ----------
    versions
        Without the first one, which dates from the lead's creation.
    """
    late = (
        (sum(e.occurred_at >= as_of or e.known_at >= as_of for e in events), "event", "events"),
        (
            sum(m.at >= as_of or m.known_at >= as_of for m in stages),
            "stage change",
            "stage changes",
        ),
        (sum(v.known_at >= as_of for v in versions), "version", "versions"),
    )
    return [
        f"{_count(n, one, many)} at or after as_of, or not known before it, "
        f"{'does' if n == 1 else 'do'} not count."
        for n, one, many in late
        if n
    ]


def warn_of_standing(stages: Sequence[StageRecord], as_of: int, target: str) -> list[str]:
    """Say if there is nothing left to predict: the model learned from open leads only."""
    predicted = find_target(target)
    if predicted is None or (not stages and predicted.stage is not Stage.RETURNED):
        return []
    moves = sorted(stages, key=lambda move: (move.at, funnel_position(move.stage)))
    changes = [StageChange(m.at, m.known_at, Stage(m.stage)) for m in moves]
    standing = standing_at(changes, as_of, predicted)
    if predicted.stage is Stage.RETURNED:
        if standing.is_open:
            return []
        return [
            "At as_of the lead was not with sales, so there was nothing to return; the model "
            "learned from leads with sales only."
        ]
    if standing.reached:
        what = f"had already reached {target.upper()}"
    elif not standing.is_open:
        what = f"was already closed ({standing.stage})"
    else:
        return []
    return [f"At as_of the lead {what}; the model learned from open leads only."]


def warn_of_account(lead: LeadIn, catalog: Catalog) -> list[str]:
    """Say if the model asks what colleagues did, and nobody told."""
    if lead.colleagues is not None or not any(f.family == "account" for f in catalog.features):
        return []
    return [
        "The model knows what colleagues do, but no colleagues were sent: the lead's account counts "
        "as not known. Send an empty list if it has none."
    ]
