"""GET /healthz, /readyz, /metrics, /v1/model and /v1/drift."""

import math
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import FileResponse, HTMLResponse, Response

from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from serving.auth.guard import allow_anyone, require, require_unless_local
from serving.champion import Champion, ModelHolder
from serving.errors import NotFoundError, NotReadyError, RefusedError
from serving.explain.reasons import BASE_POINTS
from serving.monitoring.backlog import find_backlog, find_stall
from serving.monitoring.drift_reporter import DriftReporter
from serving.monitoring.metrics import Metrics
from serving.monitoring.report import DriftReport, TooFewRows
from serving.store.errors import StoreOffError
from serving.store.session import Store
from serving.web.pages import PAGE_POLICY, build_drift_page, build_model_page
from serving.web_api.dependencies import (
    ChampionHolder,
    InUse,
    Now,
    Settings,
    prefers_html,
)
from serving.web_api.openapi import describe_problems
from serving.web_api.paths import find_asked
from serving.web_api.problems import build_problem_response, shape_refusal

PATIENCE_SECONDS = 1.5
"""A caller who asks for a report that is quickly made gets it at once."""

WAIT_SECONDS = "10"

BASE_WORDS = (
    "The typical lead is the average of the log-odds. The base rate, the share that converts, is as "
    "a rule higher: the few leads with high chances lift the average chance more than that."
)

STATED_ONLY = frozenset({"background"})
"""Checks whose failure does not make this process unready: others than it may be to blame."""

REPORT_POLICY = "sandbox allow-scripts allow-downloads allow-popups"
"""Evidently's page brings its own scripts: they run apart from this server's name and rights."""

open_router = APIRouter(
    tags=["health"],
    dependencies=[allow_anyone("who asks is a load balancer; names of folders are left out")],
)
operator_router = APIRouter(tags=["health"], dependencies=[require_unless_local("metrics:read")])
router = APIRouter(prefix="/v1", tags=["model"], dependencies=[require("model:read")])

_HTML_TOO = {"text/html": {"schema": {"type": "string"}}}


def _json(answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(answer), status, headers, "application/json")


def _page(html: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    policy = {"Content-Security-Policy": PAGE_POLICY}
    return HTMLResponse(html, status, {**policy, **(headers or {})})


@open_router.get("/healthz", summary="Whether the process is alive")
async def health() -> dict[str, str]:
    """Report that the process is alive."""
    return {"status": "alive"}


def check_store(store: Store) -> dict[str, Any]:
    """Check that the database answers."""
    try:
        store.check_answers()
    except RefusedError as refusal:
        return {"ok": False, "problem": str(refusal)}
    return {"ok": True, "problem": None}


def check_background(store: Store, now: datetime) -> dict[str, Any]:
    """Check that what waits in the store is being done."""
    try:
        stall = find_stall(find_backlog(store, now))
    except RefusedError as refusal:
        stall = str(refusal)
    return {"ok": stall is None, "problem": stall}


def check_readiness(
    holder: ModelHolder, store: Store | None, now: datetime, *, in_short: bool
) -> tuple[bool, dict[str, Any]]:
    """Check what the server needs for its work.

    Parameters
    ----------
    holder, store
        What is checked; without a store that is not.
    now
        The moment.
    in_short
        Whether to keep names of folders to ourselves: nobody who asks has to say who they are.
    """
    champion = holder.find_champion()
    # A broken new bundle does not make the server unready: the old one goes on scoring.
    checks: dict[str, dict[str, Any]] = {
        "champion": {
            "ok": champion is not None,
            "version": champion.bundle.version if champion else None,
            "problem": holder.problem_in_short if in_short else holder.problem,
        },
    }
    if store is not None:
        checks["store"] = check_store(store)
        if checks["store"]["ok"]:
            checks["background"] = check_background(store, now)
    return all(checks[name]["ok"] for name in checks.keys() - STATED_ONLY), checks


@open_router.get(
    "/readyz",
    summary="Whether leads can be scored",
    responses=describe_problems(503),
)
async def readiness(
    request: Request, holder: ChampionHolder, settings: Settings, now: Now
) -> Response:
    """Report whether a model is loaded, and the database answers.

    That background work stands still is said under `checks`, and does not make it unready: this
    process answers as well as before.
    """
    store: Store | None = request.app.state.store
    check = partial(check_readiness, holder, store, now, in_short=not settings.is_local)
    ready, checks = await to_thread.run_sync(check)
    if ready:
        return _json({"status": "ready", "checks": checks})
    problem = shape_refusal(NotReadyError(), find_asked(request.scope))
    return build_problem_response({**problem, "checks": checks})


@operator_router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Give the metrics in Prometheus's text format."""
    kept: Metrics = request.app.state.metrics
    text = await to_thread.run_sync(generate_latest, kept.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def find_base_rate(champion: Champion) -> float | None:
    """Find the share that converted where the model was measured; None if its card lacks it."""
    rate = champion.card.get("quality", {}).get("base_rate")
    return float(rate) if isinstance(rate, int | float) and math.isfinite(rate) else None


def _shape_attribute(attribute: LeadAttribute) -> dict[str, Any]:
    shaped: dict[str, Any] = {"name": attribute.name, "type": attribute.type}
    if attribute.type == "category":
        shaped["categories"] = [c for c in attribute.categories if c != OTHER_CATEGORY]
    return shaped


def shape_model(champion: Champion) -> dict[str, Any]:
    """Shape the model in use: contract, bands, what it takes, and its card."""
    bundle = champion.bundle
    catalog = bundle.catalog
    return {
        "name": bundle.name,
        "version": bundle.version,
        "kind": bundle.model_kind,
        "loaded_at": champion.loaded_at,
        "contract": bundle.contract,
        "base": {
            "points": BASE_POINTS,
            "probability": bundle.base_probability,
            "base_rate": find_base_rate(champion),
            "words": BASE_WORDS,
        },
        "bands": [
            {
                "name": band.name,
                "points_from": band.points_from if band.points_from > float("-inf") else None,
                "predicted": band.predicted,
                "observed": band.observed,
                "calibration_error": band.calibration_error,
                "leads": band.leads,
            }
            for band in bundle.bands
        ],
        "attributes": [_shape_attribute(attribute) for attribute in catalog.attributes],
        "event_kinds": list(catalog.taxonomy.kind_names),
        "channels": list(catalog.taxonomy.channels),
        "plots": [f"/v1/model/plots/{name}" for name in champion.plots],
        "card": champion.card,
    }


@router.get(
    "/model",
    summary="The model in use and its card",
    responses={200: {"content": _HTML_TOO}, **describe_problems(401, 503)},
)
async def model(request: Request, champion: InUse) -> Response:
    """Give the model card: data, measures, bands, warnings; as a page to browsers."""
    shaped = shape_model(champion)
    headers = {"Vary": "Accept"}
    if prefers_html(request):
        return _page(build_model_page(shaped), headers=headers)
    return _json(shaped, headers=headers)


@router.get(
    "/model/plots/{name}",
    summary="A picture of the model card",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": "The picture."},
        **describe_problems(401, 404, 503),
    },
)
async def plot(name: str, champion: InUse) -> Response:
    """Give one picture of the model card: reliability.png, gains.png, ..."""
    picture = champion.plots.get(name)
    if picture is None:
        raise NotFoundError(
            f"The model card has no picture of that name; it has {_list(champion)}."
        )
    return Response(picture, media_type="image/png")


def _list(champion: Champion) -> str:
    return ", ".join(champion.plots) or "none"


def _answer_drift(
    reporter: DriftReporter, found: DriftReport | TooFewRows | None, html: bool
) -> Response:
    if isinstance(found, DriftReport) and html:
        if found.html is not None:
            return FileResponse(
                found.html,
                media_type="text/html",
                headers={"Content-Security-Policy": REPORT_POLICY, "Vary": "Accept"},
            )
        return _page(build_drift_page(found.to_json()))
    if found is None:
        answer = {
            "status": "being_made" if reporter.is_running else "failed",
            "detail": reporter.problem
            or "The first drift report is being made; it takes about half a minute.",
        }
        status, headers = 202, {"Retry-After": WAIT_SECONDS, "Vary": "Accept"}
    else:
        answer, status, headers = found.to_json(), 200, {"Vary": "Accept"}
    if html:
        return _page(build_drift_page(answer), status, headers)
    return _json({**answer, "is_refreshing": reporter.is_running}, status, headers)


@router.get(
    "/drift",
    summary="Whether recent leads and scores still look like those the model learned from",
    responses={
        200: {
            "content": _HTML_TOO,
            "description": "The newest report, or that too few leads were scored.",
        },
        202: {
            "description": "The first report is being made; ask again after `Retry-After` seconds."
        },
        **describe_problems(401, 422, 503),
    },
)
async def drift(request: Request, champion: InUse, now: Now) -> Response:
    """Give the newest drift report; as Evidently's page to browsers.

    Reports are made in the background, when the last one has become too old, of the rows in the store.
    """
    reporter = _get_reporter(request)
    if reporter.is_due(champion.bundle, now):
        await reporter.start(champion.bundle, now, PATIENCE_SECONDS)
    return await _give_drift(request, champion)


@router.post(
    "/drift",
    summary="Have a new drift report made",
    responses={
        202: {
            "description": "The first report is being made; ask again after `Retry-After` seconds."
        },
        **describe_problems(401, 503),
    },
)
async def refresh_drift(request: Request, champion: InUse, now: Now) -> Response:
    """Start a new drift report in the background; until it is ready, give the last one."""
    reporter = _get_reporter(request)
    await reporter.start(champion.bundle, now, PATIENCE_SECONDS)
    return await _give_drift(request, champion)


async def _give_drift(request: Request, champion: Champion) -> Response:
    reporter = _get_reporter(request)
    return await to_thread.run_sync(
        _answer_drift, reporter, reporter.find_report(champion.bundle), prefers_html(request)
    )


def _get_reporter(request: Request) -> DriftReporter:
    reporter: DriftReporter | None = request.app.state.drift_reporter
    if reporter is None:
        raise StoreOffError
    return reporter
