"""What Prometheus may know of the store: whether it answers, its connections, what waits in it."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.pool import QueuePool

from serving.auth.authenticator import Authenticator
from serving.errors import RefusedError
from serving.monitoring.backlog import Backlog, find_backlog
from serving.store.session import Store


class AuthCollector(Collector):
    """Reads at the moment of scraping how many were turned away."""

    def __init__(self, authenticator: Authenticator) -> None:
        self.authenticator = authenticator

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Collect those turned away, by why."""
        refused = CounterMetricFamily(
            "baton_auth_refused_requests",
            "Requests of callers who are unknown, may not, or ask too often.",
            labels=["because"],
        )
        for because, n in sorted(self.authenticator.refused.items()):
            refused.add_metric([because], n)
        yield refused


class JoinCollector(Collector):
    """Reads at the moment of scraping how many joins of identity keys were not made."""

    def __init__(self, refused: Counter[str]) -> None:
        self.refused = refused

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Collect those that were not made, by why."""
        refused = CounterMetricFamily(
            "baton_identity_joins_refused",
            "Joins of two leads that a tool spoke of and that were not made.",
            labels=["because"],
        )
        for because, n in sorted(self.refused.copy().items()):
            refused.add_metric([because], n)
        yield refused


def _collect_connections(store: Store) -> Iterator[Metric]:
    pool = store.engine.pool
    assert isinstance(pool, QueuePool)  # noqa: S101 - the engine's default
    yield GaugeMetricFamily(
        "baton_store_connections_in_use",
        "Connections to the database that requests or jobs hold.",
        value=pool.checkedout(),
    )
    yield GaugeMetricFamily(
        "baton_store_connections_most", "Connections this process may have.", value=pool.size()
    )


def _collect_backlog(backlog: Backlog) -> Iterator[Metric]:
    for name, words, value in (
        ("scores_due", "Scores that are due.", backlog.scores_due),
        (
            "scores_lag_seconds",
            "How long the oldest due score has been due.",
            backlog.scores_lag_seconds,
        ),
        ("effects_waiting", "Effects in the outbox that are to be sent.", backlog.effects_waiting),
        (
            "effects_lag_seconds",
            "How long the oldest of them has been due.",
            backlog.effects_lag_seconds,
        ),
        ("effects_given_up", "Effects that will not be tried again.", backlog.effects_given_up),
        (
            "jobs_lag_seconds",
            "How long the oldest job that could run has waited.",
            backlog.jobs_lag_seconds,
        ),
        (
            "quarantined_items",
            "Items in the quarantine that wait to be corrected.",
            backlog.quarantined_items,
        ),
    ):
        yield GaugeMetricFamily(f"baton_backlog_{name}", words, value=value)
    jobs = GaugeMetricFamily("baton_backlog_jobs", "Jobs by status.", labels=["status"])
    for status, n in backlog.jobs.items():
        jobs.add_metric([status], n)
    yield jobs


class StoreCollector(Collector):
    """Asks the database at the moment of scraping."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self.store = store
        self.now = now

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: the store is not open yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Collect the state of the store; only that it is away, if it is."""
        backlog: Backlog | None = None
        try:
            backlog = find_backlog(self.store, self.now())
            yield from _collect_connections(self.store)
            yield from _collect_backlog(backlog)
        except RefusedError:
            pass  # said by the next figure
        yield GaugeMetricFamily(
            "baton_store_up", "1 if the database answers.", value=float(backlog is not None)
        )
