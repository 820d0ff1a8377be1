"""The web application: settings in, routes and background tasks together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from anyio import CapacityLimiter
from fastapi import FastAPI

from features import clock
from serving.audit_log import routes as audit_log_routes
from serving.auth.doorman import build_doorman
from serving.auth.guard import check_guards, describe_guards
from serving.errors import ExposedWithoutTokenError
from serving.handoff.api import handoffs as handoff_routes
from serving.handoff.api import leads as handoff_lead_routes
from serving.handoff.api import oversight as oversight_routes
from serving.handoff.api import playbook as playbook_routes
from serving.handoff.api import pursuit as pursuit_routes
from serving.handoff.api import scoreboard as sla_routes
from serving.handoff.api import sellers as seller_routes
from serving.http.headers import HeadersMiddleware
from serving.http.limits import LimitsMiddleware, Paths
from serving.http.openapi import add_schemas
from serving.http.problems import FaultMiddleware, add_problem_handlers
from serving.http.traces import build_telemetry
from serving.intake.api import merges as merge_routes
from serving.intake.api import records as intake_routes
from serving.intake.api import segment as segment_routes
from serving.intake.api import snowplow as snowplow_routes
from serving.intake.api.tool_schemas import DESCRIBED_MESSAGES
from serving.intake.records.items import DESCRIBED
from serving.jobs import routes as job_routes
from serving.jobs.house import build_desks, build_house
from serving.jobs.metrics import WorkerCollector
from serving.jobs.tasks import House
from serving.jobs.worker import Worker
from serving.leads import export_routes
from serving.leads import routes as lead_routes
from serving.monitoring import routes as monitoring_routes
from serving.monitoring.desk import DriftDesk
from serving.monitoring.metrics import Metrics, MetricsMiddleware
from serving.monitoring.store_metrics import DoorCollector, StoreCollector
from serving.notify import routes as notify_routes
from serving.privacy import routes as privacy_routes
from serving.scoring import routes as scoring_routes
from serving.scoring.log import ScoredLog
from serving.scoring.request.shadow import Shadow, build_shadow
from serving.scoring.schemas import DESCRIBED_INPUTS, DESCRIBED_OUTPUTS
from serving.scoring.served import BundleShelf
from serving.settings import ServingSettings
from serving.store.session import Store
from serving.web import routes as web_routes
from serving.web.sign_in import FORM_PATHS, add_sign_in

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
    """Load the champion, keep the background tasks running, and write the log's last rows."""
    settings: ServingSettings = app.state.settings
    scored_log: ScoredLog = app.state.scored_log
    drift_desk: DriftDesk = app.state.drift_desk
    shadow: Shadow | None = app.state.shadow
    store: Store | None = app.state.store
    worker: Worker | None = app.state.worker
    if store is not None:
        await asyncio.to_thread(store.open)
    if app.state.doorman.local is not None:
        await asyncio.to_thread(app.state.doorman.local.open)
    desks = [*app.state.desks, *([] if shadow is None else [shadow.desk])]
    logs = [scored_log, *([] if shadow is None else [shadow.log])]
    for one in desks:
        await asyncio.to_thread(one.refresh, clock.now())
    tasks = [
        *(asyncio.create_task(one.watch(settings.champion_check_seconds)) for one in desks),
        *(asyncio.create_task(one.keep_flushing(settings.scored_flush_seconds)) for one in logs),
    ]
    async with AsyncExitStack() as leaving:  # last in, first out
        if store is not None:
            leaving.push_async_callback(asyncio.to_thread, store.close)
        for kept in logs:
            leaving.push_async_callback(asyncio.to_thread, kept.flush_safely)
        leaving.push_async_callback(drift_desk.close)
        leaving.push_async_callback(_stop, tasks)
        if shadow is not None:
            shadow.start()
            leaving.push_async_callback(asyncio.to_thread, shadow.stop)
        if worker is not None:
            worker.start()
            leaving.push_async_callback(worker.stop)
        yield


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they are gone."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


def _build_house(app: FastAPI) -> House | None:
    """Build what live scores and jobs work with; None without a store."""
    state = app.state
    if state.store is None:
        return None
    return build_house(
        state.settings, state.store, state.desks, state.shelf, state.scored_log, state.shadow
    )


def build_app(settings: ServingSettings) -> FastAPI:
    """Build the web application.

    Raises
    ------
    ExposedWithoutTokenError
        If the settings would open it to the network, and nobody could have a key.
    UnguardedRouteError
        If a route does not say who may ask it.
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
    app.state.doorman = build_doorman(settings, app.state.store)
    app.state.desks = build_desks(settings)
    app.state.champion_desk = app.state.desks[0]
    app.state.shelf = BundleShelf(settings.served)
    app.state.scored_log = ScoredLog(
        settings.scored, most_rows=settings.scored_buffer_rows, keep_days=settings.scored_keep_days
    )
    app.state.shadow = build_shadow(settings) if settings.shadow else None
    app.state.house = _build_house(app)
    app.state.worker = (
        Worker(app.state.house, check_seconds=settings.worker_check_seconds)
        if settings.worker and app.state.house is not None
        else None
    )
    app.state.drift_desk = DriftDesk(settings, app.state.scored_log.flush)
    app.state.metrics = Metrics(
        app.state.champion_desk, app.state.scored_log, clock.now, app.state.shadow
    )
    if app.state.worker is not None:
        app.state.metrics.registry.register(WorkerCollector(app.state.worker, clock.now))
    app.state.metrics.registry.register(DoorCollector(app.state.doorman))
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
    # Added last runs first: every answer has its headers, everything is counted, then faults are caught, then limits checked.
    app.add_middleware(LimitsMiddleware, settings=settings, paths=PATHS)
    app.add_middleware(FaultMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=app.state.metrics)
    app.add_middleware(HeadersMiddleware)
    return app
