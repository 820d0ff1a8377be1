"""GET /v1/scores/export: everyone's latest score as one file."""

from typing import Literal

from fastapi import APIRouter
from starlette.responses import StreamingResponse

from serving.auth.guard import require
from serving.leads.export import export_csv, export_parquet
from serving.leads.routes import Contract
from serving.store.dependencies import InStore
from serving.web_api.openapi import describe_problems

router = APIRouter(prefix="/v1/scores", tags=["leads"], dependencies=[require("scores:read")])

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@router.get(
    "/export",
    summary="Everyone's latest score as CSV or Parquet",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file, written while it is read.",
            "content": {media_type.partition(";")[0]: {} for media_type in MEDIA_TYPES.values()},
        },
        **describe_problems(401, 404, 422, 503),
    },
)
def export(
    store: InStore,
    contract: Contract,
    format: Literal["csv", "parquet"] = "csv",  # noqa: A002 - what callers write
) -> StreamingResponse:
    """Stream the latest score of every lead, in the order of their ids.

    In CSV, text that a spreadsheet would take for a formula gets an apostrophe before it; Parquet holds
    it as it is.
    """
    store.check_answers()
    write = export_csv if format == "csv" else export_parquet
    return StreamingResponse(
        write(store, contract),
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="scores.{format}"'},
    )
