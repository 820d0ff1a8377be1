"""What Prometheus may know: requests, scored leads, the model in use, rows on their way to the store."""

from collections.abc import Callable, Iterator
from datetime import datetime
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.champion import Champion, ModelHolder
from serving.scoring.request.shadow import Shadow
from serving.scoring.row_buffer import RowBuffer
from serving.scoring.scored_rows import ScoredRows, ScoreTally

LATENCY_SECONDS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip

UNKNOWN_ROUTE = "(none)"
"""Addresses that no route answers share a label: callers must not be able to make new ones."""

METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"})


class StateCollector(Collector):
    """Reads the state of the model holders at the moment of scraping."""

    def __init__(
        self,
        holder: ModelHolder,
        tally: ScoreTally,
        rows: RowBuffer[ScoredRows] | None,
        now: Callable[[], datetime],
        shadow: Shadow | None,
    ) -> None:
        self.holder = holder
        self.tally = tally
        self.rows = rows
        self.now = now
        self.shadow = shadow

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand: the names are fixed, the state is not there yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Collect everything that is state."""
        at = self.now()
        yield from self._collect_holder()
        champion = self.holder.find_champion()
        if champion is not None:
            yield from _collect_champion(champion, at)
        yield self._collect_tally()
        if self.rows is not None:
            yield from _collect_rows(self.rows, at)
        if self.shadow is not None:
            yield from _collect_shadow(self.shadow)

    def _collect_holder(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "baton_champion_reloads", "Times a model was loaded.", value=self.holder.swaps
        )
        yield CounterMetricFamily(
            "baton_champion_failures",
            "Times a model in the champion folder could not be loaded.",
            value=self.holder.failures,
        )
        yield GaugeMetricFamily(
            "baton_champion_folder_healthy",
            "1 if the model in the champion folder is the one in use.",
            value=float(self.holder.problem is None and self.holder.find_champion() is not None),
        )

    def _collect_tally(self) -> Metric:
        leads = CounterMetricFamily(
            "baton_leads_scored", "Leads by status and band.", labels=["status", "band"]
        )
        for (status, band), n in sorted(self.tally.read().items()):
            leads.add_metric([status, band], n)
        return leads


def _collect_rows(rows: RowBuffer[ScoredRows], at: datetime) -> Iterator[Metric]:
    oldest = rows.find_oldest_waiting()
    yield GaugeMetricFamily(
        "baton_scored_rows_lag_seconds",
        "Age of the oldest row of a request that is not in the store.",
        value=max((at - oldest).total_seconds(), 0.0) if oldest else 0.0,
    )
    yield GaugeMetricFamily(
        "baton_scored_rows_waiting",
        "Rows of requests that are not in the store.",
        value=rows.count_waiting(),
    )
    for name, words, value in (
        ("written", "Rows of requests written to the store.", rows.written),
        ("dropped", "Rows of requests lost; drift is measured on fewer.", rows.dropped),
        ("failures", "Times rows of requests could not be written.", rows.failures),
    ):
        yield CounterMetricFamily(f"baton_scored_rows_{name}", words, value=value)


def _collect_champion(champion: Champion, at: datetime) -> Iterator[Metric]:
    bundle = champion.bundle
    about = GaugeMetricFamily(
        "baton_model_info",
        "The model in use.",
        labels=["name", "version", "kind", "event", "horizon_days"],
    )
    contract = bundle.contract
    labels = [bundle.name, bundle.version, bundle.model_kind]
    about.add_metric([*labels, contract.event, f"{contract.horizon_days:g}"], 1)
    yield about
    yield GaugeMetricFamily(
        "baton_model_in_use_seconds",
        "Time since the model was loaded.",
        value=(at - champion.loaded_at).total_seconds(),
    )
    if champion.newest_example_at is not None:
        yield GaugeMetricFamily(
            "baton_model_age_seconds",
            "Time since the newest example the model was measured on.",
            value=(at - champion.newest_example_at).total_seconds(),
        )


def _collect_shadow(shadow: Shadow) -> Iterator[Metric]:
    challenger = shadow.holder.find_champion()
    about = GaugeMetricFamily(
        "baton_shadow_info", "The challenger in the champion's shadow.", labels=["name", "version"]
    )
    if challenger is not None:
        about.add_metric([challenger.bundle.name, challenger.bundle.version], 1)
    yield about
    for name, words, value in (
        ("scored", "Leads the challenger scored, too.", shadow.scored),
        ("passed_over", "Leads it did not score because too many waited.", shadow.passed_over),
        ("refused", "Leads its catalogue could not read.", shadow.refused),
        ("failures", "Times it failed; no answer was touched.", shadow.failures),
    ):
        yield CounterMetricFamily(f"baton_shadow_{name}", words, value=value)


class Metrics:
    """The metrics of one app; not global, so that several apps can live in one process."""

    def __init__(
        self,
        holder: ModelHolder,
        tally: ScoreTally,
        rows: RowBuffer[ScoredRows] | None,
        now: Callable[[], datetime],
        shadow: Shadow | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "baton_http_requests",
            "Requests by route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "baton_http_request_seconds",
            "Time to answer a request, by route.",
            ["method", "route"],
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )
        self.registry.register(StateCollector(holder, tally, rows, now, shadow))
        ProcessCollector(registry=self.registry)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        known = method if method in METHODS else "other"
        self.requests.labels(known, route, str(status)).inc()
        self.latency.labels(known, route).observe(seconds)


class MetricsMiddleware:
    """Counts and times every request by the template of its route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count it once it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        status = 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_noting_status)
        finally:
            route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
            self.metrics.count(scope["method"], route, status, perf_counter() - started)
