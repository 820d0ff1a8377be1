"""GET / and GET /docs."""

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, JSONResponse, Response

from serving.http.dependencies import Settings, check_operator
from serving.scoring.examples import build_curl_lines
from serving.web.pages import PAGE_POLICY, build_landing_page

router = APIRouter(include_in_schema=False, dependencies=[Depends(check_operator)])


@router.get("/")
async def landing(request: Request, settings: Settings) -> Response:
    """Show where to go from here."""
    address = str(request.base_url).rstrip("/")
    lines = build_curl_lines(address, with_token=settings.api_token is not None)
    policy = {"Content-Security-Policy": PAGE_POLICY}
    return HTMLResponse(build_landing_page(address, lines), headers=policy)


@router.get("/docs")
async def docs() -> Response:
    """Show the described API, to be tried out."""
    return get_swagger_ui_html(openapi_url="/openapi.json", title="Baton API")


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Give the description of the API."""
    return JSONResponse(request.app.openapi())
