"""What Prometheus may know of the background work."""

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.jobs.worker import Worker


class WorkerCollector(Collector):
    """Reads the worker's counters at the moment of scraping; asks the database nothing."""

    def __init__(self, worker: Worker, now: Callable[[], datetime]) -> None:
        self.worker = worker
        self.now = now

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: the names are fixed, the state is not there yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Collect scores, queue, jobs and outbox."""
        scorer, outbox = self.worker.resources.scorer, self.worker.resources.outbox
        oldest = scorer.oldest_due_at
        yield GaugeMetricFamily(
            "baton_scoring_queue_leads",
            "Scores that are due, as far as twenty thousand.",
            value=scorer.waiting,
        )
        yield GaugeMetricFamily(
            "baton_scoring_queue_lag_seconds",
            "How long the oldest due score has been due.",
            value=max((self.now() - oldest).total_seconds(), 0.0) if oldest else 0.0,
        )
        jobs = GaugeMetricFamily("baton_jobs", "Jobs by status.", labels=["status"])
        for status, n in sorted(self.worker.jobs.items()):
            jobs.add_metric([status], n)
        yield jobs
        for name, words, value in (
            ("live_scores", "Leads scored by this worker.", scorer.scored),
            ("live_passes", "Passes over due leads that found some.", scorer.passes),
            ("leads_set_aside", "Leads given a job of their own.", scorer.set_aside),
            ("jobs_recovered", "Jobs of dead workers put back.", self.worker.recovered),
            ("jobs_given_up", "Jobs whose workers died too often.", self.worker.given_up),
            ("effects_sent", "Effects sent.", outbox.sent),
            ("effects_failed", "Attempts to send an effect that failed.", outbox.failed),
            ("effects_given_up", "Effects that will not be tried again.", outbox.given_up),
            ("leases_lost", "Effects settled by another after our lease.", outbox.leases_lost),
        ):
            yield CounterMetricFamily(f"baton_{name}", words, value=value)
