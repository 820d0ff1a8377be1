"""/v1/notifications/endpoints: where webhooks go, which said they are gone, and opening them again."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from serving.auth.guard import require
from serving.errors import RefusedError
from serving.notify.webhooks import fingerprint_url, list_closed, reopen_endpoint
from serving.store.dependencies import Reading, Work
from serving.web_api.dependencies import Settings
from serving.web_api.openapi import describe_problems
from serving.web_api.text_types import ShortName

router = APIRouter(
    prefix="/v1/notifications", tags=["notifications"], dependencies=[require("jobs:manage")]
)


class NotClosedError(RefusedError):
    """The endpoint is not closed, or there is none of that name."""

    status, slug, title = 404, "endpoint-not-closed", "No such closed endpoint"
    fix = "GET /v1/notifications/endpoints lists them."


class EndpointOut(BaseModel):
    """Where webhooks go. Its address may hold a secret and is not shown."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    roles: list[str]
    """Empty: all."""
    secrets: int
    """How many sign."""
    closed_at: datetime | None
    """When it answered 410; nothing is sent since."""


class Endpoints(BaseModel):
    """Every endpoint of the settings, by name."""

    endpoints: list[EndpointOut]


@router.get("/endpoints", responses=describe_problems(503))
def endpoints(work: Reading, settings: Settings) -> Endpoints:
    """List the endpoints of webhooks, and which are closed."""
    closed = {(row.name, row.url_hash): row.closed_at for row in list_closed(work)}
    return Endpoints(
        endpoints=[
            EndpointOut(
                name=name,
                roles=list(one.roles),
                secrets=len(one.secrets),
                closed_at=closed.get((name, fingerprint_url(one.url))),
            )
            for name, one in sorted(settings.webhooks.items())
        ]
    )


@router.post("/endpoints/{name}/open", status_code=204, responses=describe_problems(404, 422, 503))
def open_again(name: ShortName, work: Work) -> None:
    """Open an endpoint again that was closed by a 410 response.

    Raises
    ------
    NotClosedError
        If it had not.
    """
    if not reopen_endpoint(work, name):
        raise NotClosedError("No endpoint of that name is closed.")
