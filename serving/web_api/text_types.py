"""Texts a request may carry: of bounded length, and such as PostgreSQL can hold."""

from typing import Annotated

from fastapi import Path as PathParameter
from pydantic import BeforeValidator

from serving.web_api.paths import read_marked

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's text cannot hold the character NUL."""

LeadId = Annotated[
    str,
    BeforeValidator(read_marked),
    PathParameter(
        min_length=1,
        max_length=500,
        pattern=NO_NUL,
        description="Percent-encoded, slashes too: `LEAD%2F2024%2F1`.",
    ),
]
ShortName = Annotated[
    str,
    BeforeValidator(read_marked),
    PathParameter(min_length=1, max_length=200, pattern=NO_NUL),
]

DOTS = frozenset({".", ".."})
"""Ids that no client leaves standing in an address."""
