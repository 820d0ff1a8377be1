"""GET / and GET /docs."""

from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from features import clock
from serving.auth.authenticator import Authenticator
from serving.auth.guard import require_unless_local
from serving.errors import NotFoundError
from serving.scoring.examples import build_curl_lines, format_key
from serving.web.pages import PAGE_POLICY, build_docs_page, build_landing_page

DOCS_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}

DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
"""Content-Security-Policy of the described API: Swagger UI sets styles in attributes, and asks us."""

KEPT = {"Cache-Control": "max-age=86400"}
"""Files that are about nobody."""

router = APIRouter(include_in_schema=False, dependencies=[require_unless_local("api_docs:read")])


@router.get("/")
async def landing(request: Request) -> Response:
    """Show where to go from here."""
    authenticator: Authenticator = request.app.state.authenticator
    address = str(request.base_url).rstrip("/")
    lines = build_curl_lines(address, format_key(request.app.state.settings))
    caller = await authenticator.find(request, clock.now())
    policy = {"Content-Security-Policy": PAGE_POLICY}
    return HTMLResponse(build_landing_page(address, lines, caller), headers=policy)


@router.get("/docs")
async def docs() -> Response:
    """Show the described API, to be tried out."""
    return HTMLResponse(build_docs_page(), headers={"Content-Security-Policy": DOCS_POLICY})


@router.get("/docs/start.js")
async def docs_start() -> Response:
    """Give the lines that start the page above; in a file, since scripts in pages are not run."""
    script = files("serving.web").joinpath("static", "docs.js").read_bytes()
    return Response(script, media_type="text/javascript", headers=KEPT)


@router.get("/docs/{name}")
async def docs_file(name: str) -> Response:
    """Give a file of the page above: nothing is fetched from elsewhere.

    Raises
    ------
    NotFoundError
        If the page has no such file.
    """
    if name not in DOCS_FILES:
        raise NotFoundError("The page at /docs has no file of that name.")
    content = files("fastapi_offline").joinpath("static", name).read_bytes()
    return Response(content, media_type=DOCS_FILES[name], headers=KEPT)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Give the description of the API."""
    return JSONResponse(request.app.openapi())
