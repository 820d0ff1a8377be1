"""The web application: settings in, routes and background tasks together."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from anyio import CapacityLimiter
from fastapi import FastAPI

from features import clock
from serving.audit_log import routes as audit_log_routes
from serving.auth.authenticator import build_authenticator
from serving.auth.guard import check_guards, describe_guards
from serving.champion import ModelHolder
from serving.errors import ExposedWithoutTokenError
from serving.handoff.api import handoffs as handoff_routes
from serving.handoff.api import leads as handoff_lead_routes
from serving.handoff.api import oversight as oversight_routes
from serving.handoff.api import playbook as playbook_routes
from serving.handoff.api import pursuit as pursuit_routes
from serving.handoff.api import scoreboard as sla_routes
from serving.handoff.api import sellers as seller_routes
from serving.intake.api import merges as merge_routes
from serving.intake.api import records as intake_routes
from serving.intake.api import segment as segment_routes
from serving.intake.api import snowplow as snowplow_routes
from serving.intake.api.tool_schemas import DESCRIBED_MESSAGES
from serving.intake.records.items import DESCRIBED
from serving.jobs import routes as job_routes
from serving.jobs.metrics import WorkerCollector
from serving.jobs.tasks import JobResources
from serving.jobs.wiring import build_job_resources, build_model_holders
from serving.jobs.worker import Worker
from serving.leads import export_routes
from serving.leads import routes as lead_routes
from serving.monitoring import routes as monitoring_routes
from serving.monitoring.drift_reporter import DriftReporter
from serving.monitoring.metrics import Metrics, MetricsMiddleware
from serving.monitoring.store_metrics import AuthCollector, JoinCollector, StoreCollector
from serving.notify import routes as notify_routes
from serving.privacy import routes as privacy_routes
from serving.scoring import routes as scoring_routes
from serving.scoring.models_in_use import ModelCache
from serving.scoring.request.shadow import Shadow, build_shadow
from serving.scoring.row_buffer import RowBuffer
from serving.scoring.schemas import DESCRIBED_INPUTS, DESCRIBED_OUTPUTS
from serving.scoring.scored_rows import ScoredRows, ScoreTally, keep_rows
from serving.settings import ServingSettings
from serving.store.session import Store
from serving.web import routes as web_routes
from serving.web.sign_in import FORM_PATHS, add_sign_in
from serving.web_api.headers import HeadersMiddleware
from serving.web_api.limits import LimitsMiddleware, Paths
from serving.web_api.openapi import add_schemas
from serving.web_api.paths import PathsMiddleware
from serving.web_api.problems import FaultMiddleware, add_problem_handlers
from serving.web_api.traces import build_telemetry

DESCRIPTION = """\
Scores leads and says why. A score is a chance (`probability`) and points: 50 is the typical
lead, ten more double the odds, and the reasons add up to the score. Times carry their zone;
what happened at or after `as_of` does not count. Refusals are RFC 9457 problems.
"""

_PACKED = segment_routes.PATHS | {snowplow_routes.PATH}
PATHS = Paths(
    records=scoring_routes.PATHS | intake_routes.PATHS | _PACKED, packed=_PACKED, forms=FORM_PATHS
)


def check_exposure(settings: ServingSettings) -> None:
    """Check that those who can reach a server can be told from others.

    Raises
    ------
    ExposedWithoutTokenError
        If they cannot.
    """
    if not settings.is_local and settings.api_token is None and not settings.has_store:
        raise ExposedWithoutTokenError(settings.host)


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    """Load the champion, keep the background tasks running, and write the last rows to the store."""
    settings: ServingSettings = app.state.settings
    drift_reporter: DriftReporter | None = app.state.drift_reporter
    shadow: Shadow | None = app.state.shadow
    store: Store | None = app.state.store
    worker: Worker | None = app.state.worker
    if store is not None:
        await asyncio.to_thread(store.open)
    if app.state.authenticator.local is not None:
        await asyncio.to_thread(app.state.authenticator.local.open)
    holders: list[ModelHolder] = app.state.watched_holders
    buffers: list[RowBuffer[Any]] = app.state.buffers
    for one in holders:
        await asyncio.to_thread(one.refresh, clock.now())
    tasks = [
        *(asyncio.create_task(one.watch(settings.champion_check_seconds)) for one in holders),
        *(
            asyncio.create_task(one.keep_flushing(settings.scored_flush_seconds))
            for one in buffers
        ),
    ]
    async with AsyncExitStack() as on_exit:  # last in, first out
        if store is not None:
            on_exit.push_async_callback(asyncio.to_thread, store.close)
        for buffer in buffers:
            on_exit.push_async_callback(asyncio.to_thread, buffer.flush_safely)
        on_exit.push_async_callback(_close, drift_reporter)
        on_exit.push_async_callback(_stop, tasks)
        if shadow is not None:
            shadow.start()
            on_exit.push_async_callback(asyncio.to_thread, shadow.stop)
        if worker is not None:
            worker.start()
            on_exit.push_async_callback(worker.stop)
        yield


async def _close(drift_reporter: DriftReporter | None) -> None:
    if drift_reporter is not None:
        await drift_reporter.close()


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they are gone."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


def _build_job_resources(app: FastAPI) -> JobResources | None:
    """Build what live scores and jobs work with; None without a store."""
    state = app.state
    if state.store is None:
        return None
    return build_job_resources(
        state.settings,
        state.store,
        state.model_holders,
        state.model_cache,
        state.shadow,
        tally=state.tally,
    )


def _build_row_buffer(
    store: Store | None, settings: ServingSettings
) -> RowBuffer[ScoredRows] | None:
    """Build what takes rows of requests to the store; None without one."""
    if store is None:
        return None
    return RowBuffer(store, keep_rows, most_rows=settings.scored_buffer_rows)


def _build_drift_reporter(app: FastAPI) -> DriftReporter | None:
    """Build what measures drift; None without a store, where no rows lie."""
    state = app.state
    if state.store is None:
        return None
    return DriftReporter(state.settings, state.store, state.rows.flush_safely)


def build_app(settings: ServingSettings) -> FastAPI:
    """Build the web application.

    Raises
    ------
    ExposedWithoutTokenError
        If the settings would open it to the network, and nobody could have a key.
    UnguardedRouteError
        If a route does not say who may ask it.
    StoreOffError
        If a challenger is to score in the shadow, and there is no store for its scores.
    TracesNotInstalledError
        If traces are asked for, and what sends them is not installed.
    """
    check_exposure(settings)
    app = FastAPI(
        title="Baton",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_live,
        telemetry=build_telemetry(traces=settings.traces),
    )
    app.state.settings = settings
    app.state.store = Store(settings) if settings.has_store else None
    app.state.authenticator = build_authenticator(settings, app.state.store)
    app.state.model_holders = build_model_holders(settings)
    app.state.champion_holder = app.state.model_holders[0]
    app.state.model_cache = ModelCache(settings.served)
    app.state.tally = ScoreTally()
    app.state.rows = _build_row_buffer(app.state.store, settings)
    app.state.shadow = build_shadow(settings, app.state.store) if settings.shadow else None
    app.state.watched_holders = list(app.state.model_holders)
    app.state.buffers = [] if app.state.rows is None else [app.state.rows]
    if app.state.shadow is not None:
        app.state.watched_holders.append(app.state.shadow.holder)
        app.state.buffers.append(app.state.shadow.rows)
    app.state.job_resources = _build_job_resources(app)
    app.state.worker = (
        Worker(app.state.job_resources, check_seconds=settings.worker_check_seconds)
        if settings.worker and app.state.job_resources is not None
        else None
    )
    app.state.drift_reporter = _build_drift_reporter(app)
    app.state.metrics = Metrics(
        app.state.champion_holder,
        app.state.tally,
        app.state.rows,
        clock.now,
        app.state.shadow,
    )
    if app.state.worker is not None:
        app.state.metrics.registry.register(WorkerCollector(app.state.worker, clock.now))
    app.state.metrics.registry.register(AuthCollector(app.state.authenticator))
    app.state.joins_refused = Counter[str]()
    app.state.metrics.registry.register(JoinCollector(app.state.joins_refused))
    if app.state.store is not None:
        app.state.metrics.registry.register(StoreCollector(app.state.store, clock.now))
    app.state.batch_limiter = CapacityLimiter(1)
    # Each password takes 64 MiB for a moment: a crowd at the door must not take memory and threads.
    app.state.sign_in_limiter = CapacityLimiter(2)
    for router in (
        scoring_routes.router,
        intake_routes.router,
        lead_routes.router,
        export_routes.router,
        handoff_lead_routes.router,
        handoff_routes.router,
        seller_routes.router,
        playbook_routes.router,
        job_routes.router,
        segment_routes.router,
        snowplow_routes.router,
        merge_routes.router,
        intake_routes.mending,
        monitoring_routes.router,
        monitoring_routes.open_router,
        monitoring_routes.operator_router,
        audit_log_routes.router,
        privacy_routes.router,
        sla_routes.router,
        pursuit_routes.router,
        notify_routes.router,
        oversight_routes.router,
        oversight_routes.report_router,
        web_routes.router,
    ):
        app.include_router(router)
    add_problem_handlers(app)
    add_sign_in(app)
    check_guards(app)
    add_schemas(app, DESCRIBED_INPUTS, (*DESCRIBED_OUTPUTS, *DESCRIBED, *DESCRIBED_MESSAGES))
    describe_guards(app)
    app.add_middleware(PathsMiddleware)
    # Added last runs first: every answer has its headers, everything is counted, then faults are caught, then limits checked.
    app.add_middleware(LimitsMiddleware, settings=settings, paths=PATHS)
    app.add_middleware(FaultMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=app.state.metrics)
    app.add_middleware(HeadersMiddleware)
    return app
