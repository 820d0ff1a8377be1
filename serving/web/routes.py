"""GET / and GET /docs."""

from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, JSONResponse, Response

from features import clock
from serving.auth.doorman import Doorman
from serving.auth.guard import allow_here
from serving.errors import NotFoundError
from serving.scoring.examples import build_curl_lines, say_key
from serving.web.pages import PAGE_POLICY, build_landing_page

DOCS_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}

router = APIRouter(include_in_schema=False, dependencies=[allow_here("read the manual")])


@router.get("/")
async def landing(request: Request) -> Response:
    """Show where to go from here."""
    doorman: Doorman = request.app.state.doorman
    address = str(request.base_url).rstrip("/")
    lines = build_curl_lines(address, say_key(request.app.state.settings))
    caller = await doorman.find(request, clock.now())
    policy = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(build_landing_page(address, lines, caller), headers=policy)


@router.get("/docs")
async def docs() -> Response:
    """Show the described API, to be tried out."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Baton API",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
    )


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
    return Response(content, media_type=DOCS_FILES[name])


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Give the description of the API."""
    return JSONResponse(request.app.openapi())
