"""Forms of our own pages: short, urlencoded, and read only after everything else was checked."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from serving.errors import FieldProblem, InvalidBodyError

MOST_FIELDS = 32
"""Fields of one form; the longest of ours has a handful."""

MEDIA_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Mapping[str, str]:
    """Read a form; of a field that comes twice the last value counts.

    Called by a route rather than declared by it: the framework would read the body before it asks
    who sends it. How long a form may be is for `serving.web_api.limits` to say.

    Raises
    ------
    InvalidBodyError
        If it is no form, or has more fields than any of ours.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != MEDIA_TYPE:
        raise _refuse("the body is not a form")
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise _refuse("the body is not a form, or has too many fields") from None
    return dict(pairs)


def _refuse(problem: str) -> InvalidBodyError:
    fix = "Go back, reload the page, and send the form again."
    return InvalidBodyError((FieldProblem("", problem, fix),))
