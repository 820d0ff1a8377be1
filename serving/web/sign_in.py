"""GET and POST /sign-in, POST /sign-out: sessions of people, in a cookie."""

import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from serving.auth.authenticator import Authenticator, check_own_page
from serving.auth.errors import SignInRefusedError, StaleFormError, TooOftenError
from serving.auth.guard import allow_anyone
from serving.auth.sessions import COOKIE, end_session, sign_form
from serving.auth.users import sign_in
from serving.errors import RefusedError, TokenRefusedError
from serving.settings import ServingSettings
from serving.store.audit_log import note
from serving.store.dependencies import get_store
from serving.store.session import Store
from serving.web.pages import PAGE_POLICY, build_sign_in_page
from serving.web_api.dependencies import Now, Settings, is_over_tls, prefers_html
from serving.web_api.forms import read_form
from serving.web_api.paths import find_asked
from serving.web_api.problems import refuse

FORM_COOKIE = "baton_form"
SEE_OTHER = 303

router = APIRouter(
    include_in_schema=False,
    dependencies=[allow_anyone("nobody is signed in before they sign in")],
)

Target = Annotated[str, Query(max_length=2_000)]

FORM_PATHS = frozenset({"/sign-in", "/sign-in/key", "/sign-out"})
"""Where forms come from whoever is there."""

MOST_TARGET = 2_000
MOST_EMAIL = 320


def clean_target(target: str) -> str:
    r"""Give an address on this server, whatever was asked for.

    >>> clean_target("/v1/model"), clean_target("//evil.example"), clean_target("/\\evil.example")
    ('/v1/model', '/', '/')
    """
    is_ours = (
        len(target) <= MOST_TARGET
        and target.startswith("/")
        and not target.startswith(("//", "/\\"))
    )
    return target if is_ours and target.isprintable() else "/"


def _set_cookie(request: Request, response: Response, name: str, value: str, hours: float) -> None:
    response.set_cookie(
        name,
        value,
        max_age=int(hours * 3600),
        httponly=True,
        samesite="lax",
        secure=is_over_tls(request),
    )


def _show_form(request: Request, target: str, refusal: RefusedError | None = None) -> Response:
    settings: ServingSettings = request.app.state.settings
    form_token = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)
    page = build_sign_in_page(
        form_token,
        clean_target(target),
        by_password=settings.has_store,
        by_key=settings.has_local_credentials,
        problem=str(refusal) if refusal else None,
    )
    headers = {"Content-Security-Policy": PAGE_POLICY}
    response = HTMLResponse(page, refusal.status if refusal else 200, headers)
    _set_cookie(request, response, FORM_COOKIE, form_token, 1.0)
    return response


async def _take_form(request: Request) -> Mapping[str, str]:
    """Read a form that was made here, for this browser; its body last of all.

    Raises
    ------
    StaleFormError, ForeignPageError
        If it was not.
    TooOftenError
        If too many came from that address.
    """
    given = request.cookies.get(FORM_COOKIE, "")
    if not given:
        raise StaleFormError
    check_own_page(request)
    request.app.state.authenticator.count_try(request)
    form = await read_form(request)
    if not hmac.compare_digest(given.encode(), form.get("form_token", "").encode()):
        raise StaleFormError
    return form


def _let_in(request: Request, token: str, target: str) -> Response:
    settings: ServingSettings = request.app.state.settings
    response = RedirectResponse(clean_target(target), SEE_OTHER)
    response.headers["Referrer-Policy"] = "no-referrer"
    _set_cookie(request, response, COOKIE, token, settings.session_hours)
    response.delete_cookie(FORM_COOKIE)
    return response


@router.get("/sign-in")
async def sign_in_page(
    request: Request, now: Now, ticket: Target = "", target: Target = "/"
) -> Response:
    """Show the form; or let in whoever brings a ticket that `baton serve` printed."""
    authenticator: Authenticator = request.app.state.authenticator
    if ticket and authenticator.local is not None:
        token = authenticator.local.redeem(ticket, now)
        if token is not None:
            return _let_in(request, token, target)
        return _show_form(request, target, TokenRefusedError(sent=True))
    return _show_form(request, target)


@router.post("/sign-in")
async def sign_in_with_password(request: Request, now: Now, settings: Settings) -> Response:
    """Sign somebody in by address and password."""
    target = "/"
    try:
        form = await _take_form(request)
        target, email = form.get("target", "/"), form.get("email", "")[:MOST_EMAIL]
        store = await get_store(request)
        lasts = timedelta(hours=settings.session_hours)
        limiter = request.app.state.sign_in_limiter
        password = form.get("password", "")
        token = await to_thread.run_sync(
            sign_in, store, email, password, now, lasts, limiter=limiter
        )
    except (SignInRefusedError, TooOftenError) as refusal:
        return _show_form(request, target, refusal)
    return _let_in(request, token, target)


@router.post("/sign-in/key")
async def sign_in_with_key(request: Request, now: Now) -> Response:
    """Sign in whoever has the key of this machine."""
    authenticator: Authenticator = request.app.state.authenticator
    try:
        form = await _take_form(request)
    except TooOftenError as refusal:
        return _show_form(request, "/", refusal)
    target = form.get("target", "/")
    if authenticator.local is None or not authenticator.local.is_key(form.get("key", "").strip()):
        return _show_form(request, target, TokenRefusedError(sent=True))
    return _let_in(request, authenticator.local.start_session(now), target)


def _end(store: Store, token: str, actor: str, at: datetime) -> None:
    with store.work() as work:
        end_session(work, token, at)
        note(work, by=actor, action="signed out", subject_kind="person", at=at)


@router.post("/sign-out")
async def sign_out(request: Request, now: Now) -> Response:
    """End the session of whoever sends the form; a body that nobody's session came with is left unread."""
    authenticator: Authenticator = request.app.state.authenticator
    token = request.cookies.get(COOKIE, "")
    caller = await authenticator.find(request, now)
    if caller is not None and caller.csrf_token is not None:
        form_token = (await read_form(request)).get("form_token", "")
        if not hmac.compare_digest(sign_form(token).encode(), form_token.encode()):
            raise StaleFormError
        if caller.kind == "local" and authenticator.local is not None:
            authenticator.local.end_session(token)
        else:
            await to_thread.run_sync(_end, request.app.state.store, token, caller.actor, now)
    response = RedirectResponse("/sign-in", SEE_OTHER)
    response.delete_cookie(COOKIE)
    return response


async def _send_to_sign_in(request: Request, error: Exception) -> Response:
    """Send people to the page to sign in on; tell programs that they need a key."""
    assert isinstance(error, TokenRefusedError)  # noqa: S101 - registered for this class only
    if request.method == "GET" and prefers_html(request) and not error.sent:
        asked = find_asked(request.scope) + (f"?{request.url.query}" if request.url.query else "")
        to = request.url_for("sign_in_page").include_query_params(target=asked)
        return RedirectResponse(to, SEE_OTHER)
    return refuse(error, find_asked(request.scope))


def add_sign_in(app: FastAPI) -> None:
    """Have browsers that are not signed in sent to the page where they may be."""
    app.include_router(router)
    app.add_exception_handler(TokenRefusedError, _send_to_sign_in)
