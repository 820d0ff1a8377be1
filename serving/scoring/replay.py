"""What would have been said at a moment, by the model of then.

The rows know since when each record is known, so a lead can be looked at as of any moment, and goes
through the same pass as a live score. Where a score was given at that very moment, its bytes were kept.
"""

from collections.abc import Sequence
from datetime import datetime

from features.clock import from_us, to_us
from serving.champion import Champion, ModelHolder
from serving.errors import AsOfBeforeCreationError, RefusedError
from serving.scoring.lead_histories import read_people_as_of
from serving.scoring.live.stored_scores import find_stored_at
from serving.scoring.models_in_use import ModelCache, choose_champion, find_version_in_use
from serving.scoring.packed_scores import score_packed
from serving.store.histories import find_survivor_then
from serving.store.session import UnitOfWork


class NoModelThenError(RefusedError):
    """No model was in use at the moment asked about."""

    status, slug, title = 404, "no-model-then", "No model was in use at that time"
    fix = "Ask about a later moment; GET /v1/leads/{id}/history lists the scores that were given."

    def __init__(self) -> None:
        super().__init__("At that moment no model with this contract was in use here.")


class MomentAheadError(RefusedError):
    """The moment asked about has not come yet."""

    status, slug, title = 422, "moment-ahead", "The time is in the future"
    fix = "Ask about a moment that has passed; without `as_of` you get the latest score."

    def __init__(self) -> None:
        super().__init__("`as_of` must not be in the future.")


def find_champion_then(
    work: UnitOfWork,
    model_cache: ModelCache,
    model_holders: Sequence[ModelHolder],
    contract: str,
    moment: datetime,
) -> Champion:
    """Find the model of a moment.

    Raises
    ------
    NoModelThenError
        If there was none.
    ModelGoneError
        If its bundle is not kept any more.
    """
    version = find_version_in_use(work, contract, moment)
    if version is None:
        raise NoModelThenError
    for holder in model_holders:
        champion = holder.find_champion()
        if champion is not None and champion.bundle.version == version:
            return champion
    return model_cache.get(version, moment)


def replay(
    work: UnitOfWork,
    model_cache: ModelCache,
    model_holders: Sequence[ModelHolder],
    lead_id: str,
    as_of: datetime,
    *,
    contract: str | None = None,
    anew: bool = False,
) -> bytes:
    """Say what was said of a lead at a moment, or would have been.

    Parameters
    ----------
    lead_id
        A lead that is there. Of one that was part of another at that moment, that one is spoken of.
    as_of
        The moment, not after now.
    contract
        Which score; that of the main champion if left out.
    anew
        Whether to compute it from the rows even if its bytes were kept, by the model that gave them.

    Returns
    -------
    bytes
        The answer. What was given as of exactly this moment is given again, byte for byte.

    Raises
    ------
    AsOfBeforeCreationError, NoModelThenError, ModelGoneError
        If there is nothing to say.
    """
    lead_id = find_survivor_then(work, lead_id, as_of)
    text = contract or choose_champion(model_holders, None).bundle.contract.text
    given = find_stored_at(work, lead_id, text, as_of)
    if given is not None and not anew:
        return given.answer
    if given is not None:
        champion = model_cache.get(given.model_version, as_of)
    else:
        champion = find_champion_then(work, model_cache, model_holders, text, as_of)
    lead, moment = read_people_as_of(work, champion.bundle.catalog, lead_id, as_of), to_us(as_of)
    if lead.created_at >= moment:
        raise AsOfBeforeCreationError(from_us(lead.created_at).isoformat(), as_of.isoformat())
    return score_packed(champion, {lead_id: lead}, {lead_id: moment}).encode(0)
