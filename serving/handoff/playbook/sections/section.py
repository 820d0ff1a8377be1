"""What the sections of a playbook have in common: frozen, closed, each field with its words."""

from collections.abc import Collection
from itertools import islice
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
"""A name within the playbook: small letters, digits and underscores."""

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Days = Annotated[float, Field(ge=0, le=3_650, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class Section(BaseModel):
    """A table of the playbook. A field nobody knows is an error, since it would change nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


MOST_NAMED = 50
"""Names that are said of those there are."""


def describe_known(names: Collection[str]) -> str:
    """Say what there is to choose from.

    >>> describe_known(["a", "b"]), describe_known(())
    ('a, b', 'none yet')
    """
    further = len(names) - MOST_NAMED
    given_values = ", ".join(islice(names, MOST_NAMED)) or "none yet"
    return f"{given_values} and {further} more" if further > 0 else given_values
