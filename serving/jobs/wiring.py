"""What the background work needs, put together from the settings: for the server and for a worker apart."""

from collections.abc import Mapping, Sequence

from serving.champion import ModelHolder
from serving.handoff.lifecycle.jobs import decide_after
from serving.jobs.tasks import JobResources
from serving.notify.digests import announce_digests
from serving.notify.outbox import Outbox, Sender
from serving.notify.senders import build_senders
from serving.scoring.live.score import AfterScores
from serving.scoring.live.worker import LiveScorer
from serving.scoring.models_in_use import ModelCache
from serving.scoring.request.shadow import Shadow
from serving.scoring.scored_rows import ScoreTally
from serving.settings import ServingSettings
from serving.store.session import Store


def build_model_holders(settings: ServingSettings) -> list[ModelHolder]:
    """Build a holder for each bundle that is served, the main champion's first."""
    further = [ModelHolder(folder, "further_champion") for folder in settings.further_champions]
    return [ModelHolder(settings.champion), *further]


def build_job_resources(
    settings: ServingSettings,
    store: Store,
    model_holders: Sequence[ModelHolder],
    model_cache: ModelCache,
    shadow: Shadow | None,
    *,
    tally: ScoreTally | None = None,
    senders: Mapping[str, Sender] | None = None,
    after: AfterScores | None = None,
) -> JobResources:
    """Build what jobs work with.

    Parameters
    ----------
    tally
        Where scores are counted, beside those of requests.
    senders
        Who sends further effects, by topic, beside those of the notifications.
    after
        What happens in the transaction of new scores; left out, the leads are decided about, if
        the settings say that Baton hands over.
    """
    if after is None and settings.handoffs:
        after = decide_after(model_holders)
    scorer = LiveScorer(
        store,
        model_holders,
        model_cache,
        shadow,
        most=settings.worker_batch,
        after=after,
        tally=tally,
    )
    all_senders = {**build_senders(settings, store), **(senders or {})}
    return JobResources(
        store,
        scorer,
        Outbox(store, all_senders, most=20, at_once=10),
        hands_over=settings.handoffs,
        hands_over_unagreed=settings.handoffs_unagreed,
        rows_kept_days=settings.scored_keep_days,
        announce_digests=lambda work, at: announce_digests(work, settings, at),
    )
