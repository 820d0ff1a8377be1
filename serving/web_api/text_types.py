"""Texts a request may carry: of bounded length, and such as PostgreSQL can hold."""

from typing import Annotated

from fastapi import Path as PathParameter

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's text cannot hold the character NUL."""

LeadId = Annotated[str, PathParameter(min_length=1, max_length=500, pattern=NO_NUL)]
ShortName = Annotated[str, PathParameter(min_length=1, max_length=200, pattern=NO_NUL)]
